"""Run the seven jobs of the golden set by the command line, and keep what they give: `python tests/golden/make.py`.

Everything is synthetic, but for the digits that the project embeds, and seeded. Make the files beside this one anew
only where a figure is meant to change.
"""

import contextlib
import json
import platform
import re
import runpy
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import safetensors.torch
import sklearn
import torch
from click.testing import CliRunner, Result
from threadpoolctl import threadpool_info, threadpool_limits

import irene.command

HERE = Path(__file__).parent
MACHINE = HERE / "machine.json"
CODES = HERE / "codes.json"

NET = """
from torch import nn


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 12), nn.ReLU())
        self.neck = nn.Sequential(nn.Linear(12, 6), nn.ReLU())
        self.fc = nn.Linear(6, 2)

    def forward(self, x):
        return self.fc(self.neck(self.body(x)))


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2), nn.ReLU())
        self.fc = nn.Linear(12, 10)

    def forward(self, x):
        return self.fc(self.maps(x).mean(dim=(2, 3)))


def factory():
    return Table()


def images():
    return Images()


def plain():
    return lambda frame: frame.to_numpy("float32")
"""
FEATURES = ",".join(f"x{number}" for number in range(8))
TABLE = f"--arch net.py:factory --data rows.csv --features {FEATURES} --transform net.py:plain --task job"
DIGITS = "--arch net.py:images --data digits --task digit --limit-rows 1300"
SANITIZE = f"sanitize model.safetensors {TABLE} --private sex --layer fc:input --epochs 3 --batch-size 64 --lr 0.01"
KEPT = f"{TABLE} --limit 0.07 --private sex --keep hand,height --layer fc:input --attackers logistic,knn"
AUDITS: Mapping[str, str] = {
    "classes": f"audit images.safetensors {DIGITS} --private colour --layer maps.1,fc:input --pool channels-first "
    "--where --attackers logistic,knn",
    "quantity": f"audit model.safetensors {TABLE} --private age,luck --layer fc:input --limit 0.1 "
    "--attackers logistic,knn",
    "intersection": f"audit model.safetensors {TABLE} --private sex+origin,hand --layer fc:input --group person "
    "--where --attackers logistic,rbf-svm,boosted-trees",
    "kept": f"audit model.safetensors {KEPT}",
    "embeddings": "audit z.npz --private sex,age --task job --predicted said --no-ceiling --seed 3 "
    "--layer pool --attackers logistic,mlp",
    "sanitized": f"audit clean.safetensors {KEPT}",
}
"""What each audit is called with."""
SWEEP = (
    f"sweep model.safetensors {TABLE} --private sex --keep hand --layer fc:input --methods kernel,irene "
    "--weights 0.5,4 --attackers logistic --epochs 2 --batch-size 64 --lr 0.01"
)
SWEPT = "sweep"
TRAINED = ("sanitized", SWEPT)
"""Jobs whose weights come out of a training here."""
LIMITS = ("0.04", "0.42")
PAIR = ("kept", "sanitized")
"""Before and after."""


@dataclass(frozen=True)
class Outcome:
    """What one run of all the jobs gave."""

    evidence: Mapping[str, dict[str, Any]]
    """By the job's name."""
    codes: Mapping[str, int]
    """Exit code of every command, by its name."""
    texts: Mapping[str, str]
    """What commands said and wrote, and the visible text of pages, by their names."""


def make_inputs(folder: Path) -> None:
    """Write networks, their weights, a table of rows and embeddings."""
    (folder / "net.py").write_text(NET, encoding="utf-8")
    made = runpy.run_path(str(folder / "net.py"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        table, images = made["factory"](), made["images"]()
    with torch.no_grad():
        for weights in (*table.parameters(), *images.parameters()):
            weights.mul_(1024).round_().div_(1024)  # the same bits on every machine
        # The first two units carry the task, so that it is done well without any training.
        for layer in (table.body[0], table.neck[0], table.fc):
            layer.bias[:2] = 0
            layer.weight[:2] = 0
        table.body[0].weight[0, 0] = table.neck[0].weight[0, 0] = table.fc.weight[1, 0] = 1
        table.body[0].weight[1, 0] = table.fc.weight[1, 1] = -1
        table.neck[0].weight[1, 1] = 1
        table.fc.weight[0] = -table.fc.weight[1]
    safetensors.torch.save_file(table.state_dict(), folder / "model.safetensors")
    safetensors.torch.save_file(images.state_dict(), folder / "images.safetensors")
    rows = people(1100)
    rows.to_csv(folder / "rows.csv", index=False)
    few = rows[rows["split"] == "audit"].iloc[:800]
    z = few[[f"x{number}" for number in range(8)]].to_numpy(np.float32)
    words = {name: few[name].to_numpy().astype(str) for name in ("sex", "job", "said", "hand")}
    np.savez(folder / "z.npz", pool=z, other=z[:, 6:], age=few["age"].to_numpy(), **words)  # type: ignore[arg-type]


def people(n: int) -> pd.DataFrame:
    """Draw people that there are not: some ages are missing, few come from the islands, some rows are copies."""
    draw = np.random.default_rng(7)
    job = draw.integers(0, 2, n)
    sex = np.where(draw.random(n) < 0.7, job, 1 - job)
    origin = draw.choice(3, size=n, p=[0.5, 0.44, 0.06])
    hand = draw.integers(0, 2, n)
    age, height = 40 + 12 * draw.normal(size=n), 170 + 8 * draw.normal(size=n) + 9 * sex
    x = 0.5 * draw.normal(size=(n, 8))
    x[:, 0] += 2 * job - 1
    x[:, 1] += 2.4 * sex
    x[:, 2] += (age - 40) / 5
    x[:, 3] += 1.5 * origin
    x[:, 4] += (height - 170) / 7
    x[:, 5] += 2.4 * hand
    frame = pd.DataFrame({f"x{number}": x[:, number].round(3) for number in range(8)})
    frame["job"] = np.where(job, "judge", "cook")
    frame["said"] = np.where(draw.random(n) < 0.9, frame["job"], "cook")
    frame["sex"] = np.where(sex, "f", "m")
    frame["origin"] = np.array(["north", "south", "islands"])[origin]
    frame["hand"] = np.where(hand, "left", "right")
    frame["age"] = np.where(draw.random(n) < 0.04, np.nan, age.round(1))
    frame["height"] = height.round(1)
    frame["luck"] = draw.normal(size=n).round(3)
    frame["person"] = np.arange(n) // 2
    frame["split"] = np.where(np.arange(n) < 200, "train", "audit")
    frame.loc[n - 8 : n - 1, "x0":"x7"] = frame.loc[n - 28 : n - 21, "x0":"x7"].to_numpy()
    return frame


def run_jobs(folder: Path) -> Outcome:
    """Run all the jobs in an empty folder, on one thread."""
    torch.set_num_threads(1)
    evidence, codes, texts = {}, {}, {}

    def call(name: str, typed: str) -> Result:
        result = CliRunner().invoke(irene.command.main, typed.split())
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        codes[name] = result.exit_code
        texts[name] = f"{result.stdout}--- stderr\n{result.stderr}"
        return result

    with contextlib.chdir(folder), threadpool_limits(1):
        make_inputs(folder)
        call("sanitize", f"{SANITIZE} -o clean.safetensors")
        for job, typed in AUDITS.items():
            call(f"{job}.audit", f"{typed} -o {job}.json")
        call(f"{SWEPT}.audit", f"{SWEEP} -o {SWEPT}.json")
        for job in (*AUDITS, SWEPT):
            evidence[job] = json.loads(Path(f"{job}.json").read_text(encoding="utf-8"))
        call("pair.verify", "verify kept.json sanitized.json model.safetensors clean.safetensors")
    seen_codes, seen_texts = tell(folder)
    return Outcome(evidence, codes | seen_codes, {name: steady(text) for name, text in texts.items()} | seen_texts)


PROVISIONS = re.compile(r'<section class="folded" aria-labelledby="articles-title">.*?</section>', re.DOTALL)


def tell(folder: Path) -> tuple[dict[str, int], dict[str, str]]:
    """Report and check the evidence in a folder; return exit codes and texts."""
    codes, texts = {}, {}

    def call(name: str, typed: str, *pages: str) -> None:
        result = CliRunner().invoke(irene.command.main, typed.split())
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        codes[name] = result.exit_code
        parts = {"stdout": result.stdout, "stderr": result.stderr}
        parts |= {page: Path(page).read_text(encoding="utf-8") for page in pages if Path(page).exists()}
        if name != "pair.page":  # the provisions of one page are enough: they are the same words
            parts = {part: PROVISIONS.sub("", text) for part, text in parts.items()}
        texts[name] = "".join(
            f"--- {part}\n{visible(text) if part.endswith('.html') else text}" for part, text in parts.items()
        )

    with contextlib.chdir(folder):
        for job in AUDITS:
            call(f"{job}.page", f"report {job}.json -o {job}.html", f"{job}.html")
            for limit in LIMITS:
                outputs = f"{job}.xml", f"{job}.md"
                typed = f"check {job}.json --limit {limit} --json --junit {outputs[0]} --markdown {outputs[1]}"
                call(f"{job}.check-{limit}", typed, *outputs)
            call(f"{job}.check", f"check {job}.json")
        before, after = (f"{job}.json" for job in PAIR)
        call("pair.page", f"report {before} {after} --dpia -o pair.html", "pair.html", "pair.dpia.md")
        call("pair.check", f"check {after} --before {before} --markdown pair.md", "pair.md")
        call("models.page", f"report {before} {after} --side-by-side -o models.html", "models.html")
        call(f"{SWEPT}.page", f"report {SWEPT}.json -o {SWEPT}.html", f"{SWEPT}.html")
    for job in AUDITS:
        digest = json.loads((folder / f"{job}.json").read_text(encoding="utf-8"))["digest"]
        texts = {name: text.replace(digest, f"<digest of {job}>") for name, text in texts.items()}
    sealed = re.compile(r"(As irene wrote it, SHA-256 )[0-9a-f]{64}")  # of figures that differ by the machine
    return codes, {name: steady(sealed.sub(r"\1<of the above>", text)) for name, text in texts.items()}


BLOCKS = re.compile(
    "address|article|aside|blockquote|br|caption|dd|desc|details|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|"
    "header|hr|legend|li|main|nav|ol|p|pre|section|summary|svg|table|tbody|td|text|tfoot|th|thead|title|tr|ul"
)
UNSEEN = frozenset({"style", "script", "metadata"})


class _Visible(HTMLParser):
    """Gathers the words of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line at a block."""
        self.unseen += tag in UNSEEN
        self.parts.append("\n" if BLOCKS.fullmatch(tag) else "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take `<br/>` and what SVG draws: no words."""
        self.parts.append("\n" if BLOCKS.fullmatch(tag) else "")

    def handle_endtag(self, tag: str) -> None:
        """End a line at a block."""
        self.unseen -= tag in UNSEEN
        self.parts.append("\n" if BLOCKS.fullmatch(tag) else "")

    def handle_data(self, data: str) -> None:
        """Keep words, wherever lines broke in them."""
        if not self.unseen:
            self.parts.append(" ".join(f"|{data}|".split())[1:-1])


def visible(page: str) -> str:
    """Return the words that a page shows, one line for each block."""
    parser = _Visible()
    parser.feed(page)
    lines = (" ".join(line.split()) for line in "".join(parser.parts).split("\n"))
    return "".join(f"{line}\n" for line in lines if line)


VARIES = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\+00:00|Z)?"), "<time>"),
    (re.compile(r"(?<![\d-])\d{4}-\d\d-\d\d(?![\d-])"), "<day>"),
    (re.compile(r"(irene-audit|numpy|python|scikit-learn|torch) \d[\w.+]*"), r"\1 <version>"),
    (re.compile(r"cpu, \d+ threads?"), "<device>"),
    (re.compile(r"^\d+\.\d s$", re.MULTILINE), "<seconds>"),
    (re.compile(r"(?<=^Evidence schema)(\n\d+)+$", re.MULTILINE), "\n<schema>"),
)
"""What differs from one run to the next."""


def steady(text: str) -> str:
    """Return a text without what differs from one run to the next."""
    for pattern, word in VARIES:
        text = pattern.sub(word, text)
    return text


def machine() -> dict[str, Any]:
    """Return what decides how sums are rounded here."""
    cpu = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.+)", cpu.read_text(encoding="utf-8")) if cpu.exists() else None
    return {
        "processor": platform.processor() or platform.machine(),
        "cpu": model[1] if model else "",
        "capability": torch.backends.cpu.get_cpu_capability(),
        "blas": sorted(
            f"{one['prefix']} {one['version']} {one.get('architecture')}"
            for one in threadpool_info()
            if one["user_api"] == "blas"
        ),
        "torch": torch.__version__,
        "torch build": torch.__config__.show(),
        "numpy": np.__version__,
        "numpy build": np.show_config(mode="dicts")["SIMD Extensions"],
        "scikit-learn": sklearn.__version__,
    }


def main() -> None:
    """Make the golden set anew."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_jobs(Path(folder))
        for old in HERE.iterdir():
            if old.suffix in (".json", ".txt"):
                old.unlink()
        for job in outcome.evidence:
            (HERE / f"{job}.json").write_bytes((Path(folder) / f"{job}.json").read_bytes())
    for name, text in outcome.texts.items():
        (HERE / f"{name}.txt").write_text(text, encoding="utf-8")
    CODES.write_text(json.dumps(outcome.codes, indent=1) + "\n", encoding="utf-8")
    MACHINE.write_text(json.dumps(machine(), indent=1) + "\n", encoding="utf-8")
    click.echo(f"Wrote {len(outcome.evidence)} pieces of evidence and {len(outcome.texts)} texts into {HERE.name}/")


if __name__ == "__main__":
    main()
