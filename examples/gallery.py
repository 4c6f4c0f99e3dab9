"""Eight reports, one for each verdict and kind, from real small runs on made-up applicants and faces.

    python examples/gallery.py                            into out/gallery, some three minutes on 2 cores
    python examples/gallery.py --pictures docs/pictures   and the top of each as a picture, by Chromium

docs/examples.md says what each shows.
"""

import argparse
import contextlib
import io
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from embeddings import made_up as made_up_faces
from PIL import Image
from tabular import made_up, network
from torch import nn

import irene
from irene.command import main as irene_command

EVIDENCE = {
    "fail": "model.json",
    "inconclusive": "few.json",
    "pass": "model.json codebook.json",
    "still-fail": "model.json gradient-reversal.json",
    "models": "model.json codebook.json gradient-reversal.json",
    "sweep": "sweep.json",
    "verification": "faces.json",
    "quantity": "age.json",
}
"""Of each page, what it is made from."""
CHROMIUM = "/usr/bin/chromium"
WIDTH, HEIGHT, COLOURS = 1000, 900, 24
"""CSS pixels of a picture, and inks of its palette."""


def applicants() -> tuple[torch.Tensor, pd.DataFrame]:
    """Return standardised features of made-up applicants, and their table."""
    table = made_up(8000)
    numbers = table[["income", "hours", "savings", "age"]]
    return torch.tensor(((numbers - numbers.mean()) / numbers.std()).to_numpy(), dtype=torch.float32), table


def rows(part: str, most: int = 4000) -> irene.LabelledData:
    """Return the first half of them as `train` rows, and the second, or some of it, for attackers."""
    features, table = applicants()
    own = slice(4000) if part == "train" else slice(4000, 4000 + most)
    columns = table[own][["repaid", "group", "age"]].reset_index(drop=True)
    return irene.labelled(features[own], columns, continuous="age", name="made-up applicants")


def train(path: str) -> None:
    """Train a network on the task alone, and save it."""
    torch.manual_seed(0)
    features, table = applicants()
    answers = torch.tensor((table["repaid"] == "yes").to_numpy()).long()
    model = network(4, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(features[:4000]), answers[:4000]).backward()
        optimizer.step()
    torch.save(model.state_dict(), path)


def run(line: str, *more: str) -> None:
    """Run irene as a terminal would."""
    print(f"$ irene {line}", flush=True)
    irene_command([*line.split(), *more], standalone_mode=False)


def main(folder: Path) -> None:
    """Write the eight pages into a folder, and the evidence that they are made from."""
    folder.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).resolve().parent
    model = ("--arch", f"{here / 'tabular.py'}:network", "--arch-arg", "features=4", "--arch-arg", "classes=2")
    known = (*model, "--data", f"{here / 'gallery.py'}:rows", "--task", "repaid")
    with contextlib.chdir(folder):
        Path("sweep.json").unlink(missing_ok=True)  # of an earlier call: this one trains its model anew
        train("model.pt")
        run("audit model.pt --private group -o model.json", *known)
        run("audit model.pt --private group --data-arg most=700 --limit 0.12 -o few.json", *known)
        run("audit model.pt --private age -o age.json", *known)
        for method in ("codebook", "gradient-reversal"):
            run(f"sanitize model.pt --private group --method {method} --epochs 3 -o {method}.pt", *known)
            run(f"audit {method}.pt --private group -o {method}.json", *known)
        swept = "--methods irene,gradient-reversal,codebook --weights 1 --epochs 3"
        run(f"sweep model.pt --private group {swept} -o sweep.json", *known)
        made_up_faces("faces.npz", people=800)
        run("audit faces.npz --private sex --group person --keep-identity person -o faces.json")
        for page, evidence in EVIDENCE.items():
            run(f"report {evidence} -o {page}.html")


def picture(page: Any, report: Path) -> bytes:
    """Return the top of a page as a PNG of a few inks."""
    page.goto(report.resolve().as_uri())
    with Image.open(io.BytesIO(page.screenshot(animations="disabled"))) as full:
        few = full.convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    target = io.BytesIO()
    few.save(target, "png", optimize=True)
    return target.getvalue()


def draw(folder: Path, pictures: Path) -> None:
    """Write a picture of each page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        for name in EVIDENCE:
            path = pictures / f"gallery-{name}.png"
            path.write_bytes(picture(page, folder / f"{name}.html"))
            print(f"Wrote {path}: {path.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("out/gallery"))
    parser.add_argument("--pictures", type=Path, help="Write a picture of each page here.")
    parser.add_argument("--only-pictures", action="store_true", help="Of pages that are there already.")
    given = parser.parse_args()
    if not given.only_pictures:
        main(given.folder)
    if given.pictures:
        draw(given.folder, given.pictures)
