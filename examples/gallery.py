"""Eight reports, one for each verdict and kind, from real small runs on made-up applicants and faces.

    python examples/gallery.py                            into out/gallery, some three minutes on 2 cores
    python examples/gallery.py --pictures docs/pictures   and the top of each as a picture, by Chromium

docs/examples.md says what each shows.
"""

import argparse
import contextlib
import io
from collections.abc import Callable
from functools import partial
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

NAMES = ("fail", "inconclusive", "pass", "lost", "models", "sweep", "verification", "quantity")
NETWORK, ARGUMENTS = f"{Path(__file__).parent / 'tabular.py'}:network", {"features": 4, "classes": 2}
CHROMIUM = "/usr/bin/chromium"
WIDTH, HEIGHT, COLOURS = 1000, 700, 24
"""CSS pixels of a picture, and inks of its palette."""


def command(*arguments: str) -> None:
    """Run irene as a terminal would."""
    irene_command(list(arguments), standalone_mode=False)


def applicants() -> tuple[torch.Tensor, pd.DataFrame]:
    """Return standardised features of made-up applicants, and their table."""
    table = made_up(8000)
    numbers = table[["income", "hours", "savings", "age"]]
    return torch.tensor(((numbers - numbers.mean()) / numbers.std()).to_numpy(), dtype=torch.float32), table


def train(features: torch.Tensor, answers: torch.Tensor) -> nn.Module:
    """Train a network on the task alone."""
    torch.manual_seed(0)
    model = network(features.shape[1], 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(features), answers).backward()
        optimizer.step()
    return model


def audits(rows: Callable[[slice], irene.LabelledData]) -> None:
    """Audit the network, with all rows, with few, and of a quantity; sanitize it, and audit what comes out."""
    half = slice(4000, None)

    def audited(file: str, part: slice, private: str, **more: Any) -> None:
        model = irene.load(f"{file}.pt", NETWORK, ARGUMENTS).module
        found = irene.audit(model, rows(part), task="repaid", private=private, settings=irene.Settings(**more))
        irene.write_audit(found, f"{file}-{private}-{part.start}.json")

    audited("model", half, "group")
    audited("model", slice(7300, None), "group")
    audited("model", half, "age")
    for method in ("codebook", "leace", "gradient-reversal"):
        options = irene.SanitizeOptions(epochs=3)
        loaded = irene.load("model.pt", NETWORK, ARGUMENTS)
        fit = rows(slice(4000))
        irene.sanitize(loaded, fit, f"{method}.pt", task="repaid", private="group", method=method, options=options)
        audited(method, half, "group")


def main(folder: Path) -> None:
    """Write the eight pages into a folder, and the evidence that they are made from."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.json").unlink(missing_ok=True)  # of an earlier call: this one trained its model anew
    features, table = applicants()

    def rows(part: slice) -> irene.LabelledData:
        columns = table[part][["repaid", "group", "age"]].reset_index(drop=True)
        return irene.labelled(features[part], columns, continuous="age", name="made-up applicants")

    with contextlib.chdir(folder):
        model = train(features[:4000], torch.tensor((table["repaid"][:4000] == "yes").to_numpy()).long())
        torch.save(model.state_dict(), "model.pt")
        audits(rows)
        before, after = "model-group-4000.json", "codebook-group-4000.json"
        others = [f"{method}-group-4000.json" for method in ("leace", "gradient-reversal")]
        report = partial(command, "report")
        report(before, "-o", "fail.html")
        report("model-group-7300.json", "-o", "inconclusive.html")
        report(before, after, "-o", "pass.html")
        report(before, others[0], "-o", "lost.html")
        report(before, after, *others, "-o", "models.html")
        report("model-age-4000.json", "-o", "quantity.html")

        settings = irene.Settings(null_refits=10)
        swept = irene.sweep(
            partial(irene.load, "model.pt", NETWORK, ARGUMENTS),
            *(rows(slice(4000)), rows(slice(4000, None)), "sweep.json"),
            methods={"irene": [0.5, 4], "gradient-reversal": [1], "codebook": []},
            task="repaid",
            private="group",
            options=irene.SweepOptions(epochs=3, settings=settings),
        )
        for point, _ in swept:
            print(point.method, point.weight, flush=True)
        report("sweep.json", "-o", "sweep.html")

        made_up_faces("faces.npz", people=800)
        asked = ["--private", "sex", "--group", "person", "--keep-identity", "person"]
        command("audit", "faces.npz", *asked, "-o", "faces.json")
        report("faces.json", "-o", "verification.html")


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
        for name in NAMES:
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
