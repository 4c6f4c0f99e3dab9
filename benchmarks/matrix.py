"""Does it run? Models of every family, checkpoints of every form and rows of every kind, each in one audit.

    python benchmarks/matrix.py [--only TEXT] [--write]

Prints for each case whether it works, in how many lines of the user's own beside the call, whether it is refused in one
line, or what went WRONG: a traceback, other weights or rows than were given, or something that works and should have
been refused. Nearly all weights are random and rows are drawn, so that only what is taken is told, not what is read.
Cases of packages that are not installed are left out, and counted. `--write` puts the table into docs/matrix.md.
"""

import argparse
import contextlib
import datetime
import io
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import chain, groupby
from pathlib import Path

import matrix_files
import matrix_models
import matrix_rows
import matrix_texts
import torch
from matrix_cases import Case

from audit.errors import IreneError

WORKS, REFUSED, WRONG = "works", "refused", "WRONG"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "matrix.md"
START, END = "<!-- benchmarks/matrix.py -->", "<!-- end -->"
LONGEST = 220
"""Characters of what is said of a case."""
PACKAGES = ("torch", "torchvision", "timm", "transformers", "peft", "datasets", "lightning", "onnxruntime")


@dataclass(frozen=True)
class Outcome:
    """What came of a case."""

    case: Case
    found: str
    told: str
    seconds: float


def cases() -> Iterator[Case]:
    """Yield every case."""
    yield from chain(matrix_models.cases(), matrix_texts.cases(), matrix_files.cases(), matrix_rows.cases())


def tried(case: Case) -> Outcome:
    """Run one case in a folder of its own."""
    torch.manual_seed(0)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found, told = _outcome(case, Path(folder))
        told = " ".join(
            told.replace(f"{folder}/", "")
            .replace(folder, "the folder")
            .replace(Path(folder).name, "the folder")
            .replace(f"{Path(__file__).parent}/", "")
            .split()
        )
    return Outcome(
        case, found, told if len(told) <= LONGEST else told[: LONGEST - 1] + "…", time.perf_counter() - start
    )


def _outcome(case: Case, folder: Path) -> tuple[str, str]:
    quiet = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(quiet), contextlib.redirect_stdout(quiet):
            warnings.simplefilter("ignore")
            finding = case.run(folder).findings[0]
    except IreneError as error:
        good = case.refused and "\n" not in str(error).strip() and str(error).endswith((".", ")"))
        return REFUSED if good else WRONG, str(error)
    except Exception as error:  # what is looked for
        return WRONG, f"traceback: {type(error).__name__}: {error}"
    return (WRONG, "should have been refused") if case.refused else (WORKS, f"at `{finding.layer}`")


def rows(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the rows of the table, in Markdown."""
    return [
        f"| {one.case.kind} | {one.case.name} | {one.found} | {one.case.lines if one.found == WORKS else ''} | "
        f"{one.told.replace('|', chr(92) + '|')} |"
        for one in outcomes
    ]


def counts(outcomes: Sequence[Outcome]) -> str:
    """Return how many came out how, in a sentence."""
    found = {name: sum(one.found == name for one in outcomes) for name in (WORKS, REFUSED, WRONG)}
    glueless = sum(one.found == WORKS and one.case.lines == 0 for one in outcomes)
    return (
        f"{len(outcomes)} cases: {found[WORKS]} work, {glueless} of them without a line of glue; {found[REFUSED]} are "
        f"refused in one line; {found[WRONG]} wrong."
    )


def page(outcomes: Sequence[Outcome], lacking: Sequence[str]) -> str:
    """Return what stands between the marks of docs/matrix.md."""
    held = [f"{name} {_version(name)}" for name in PACKAGES if _version(name)]
    made = (
        f"{datetime.date.today()}; {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
    )
    seconds = sum(one.seconds for one in outcomes)
    head = "| kind | case | | glue | at which layer, or what is said |\n|---|---|---|---|---|"
    kinds = [f"{name} {len(list(ones))}" for name, ones in groupby(outcomes, lambda one: one.case.kind)]
    left = f" Left out for want of packages: {len(lacking)}." if lacking else ""
    told = f"**{counts(outcomes)}**{left} By kind: {', '.join(kinds)}."
    return "\n".join([told, "", f"{made}{', '.join(held)}; {seconds:.0f} s.", "", head, *rows(outcomes)])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the cases, and print the table in Markdown."""
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose kind or name holds this text")
    parser.add_argument("--write", action="store_true", help="put the table of all cases into docs/matrix.md")
    asked = parser.parse_args(arguments)
    outcomes, lacking = [], []
    for case in cases():
        if asked.only not in f"{case.kind}: {case.name}":
            continue
        if any(find_spec(one) is None for one in case.needs):
            lacking.append(case.name)
            continue
        outcomes.append(tried(case))
        print(f"{rows(outcomes[-1:])[0]} {outcomes[-1].seconds:.1f}", flush=True)
    print(f"\n{counts(outcomes)}" + (f" Left out: {', '.join(lacking)}." if lacking else ""))
    if asked.write and not asked.only and not lacking:
        before, rest = PAGE.read_text(encoding="utf-8").split(START)
        PAGE.write_text(f"{before}{START}\n{page(outcomes, lacking)}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
