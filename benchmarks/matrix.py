"""Does it run? Models of every family, checkpoints of every form and rows of every kind, each in one audit.

    python benchmarks/matrix.py [--only TEXT] [--write]

Prints for each case whether it works, in how many lines of the user's own beside the call, whether it is refused in one
line, or what went WRONG: a traceback, other weights or rows than were given, or something that works and should have
been refused. Nearly all weights are random and rows are drawn, so that only what is taken is told, not what is read.
Cases of packages that are not installed are left out, and counted. `--write` puts the rows
into docs/matrix.md, beside those of cases that were not tried.
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
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import chain
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
HEAD = "| kind | case | | glue | at which layer, or what is said |\n|---|---|---|---|---|"
LONGEST = 220
"""Characters of what is said of a case."""
PACKAGES = ("torch", "torchvision", "timm", "transformers", "peft", "datasets", "lightning", "onnxruntime", "av")


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


def row(one: Outcome) -> str:
    """Return a case's row of the table, in Markdown."""
    told = one.told.replace("|", "\\|")
    told = told if one.found == WORKS else told.replace("[", "\\[")  # outside of code two of them make a link
    return f"{_start(one.case)} {one.found} | {one.case.lines if one.found == WORKS else ''} | {told} |"


def _start(case: Case) -> str:
    return f"| {case.kind} | {case.name} |"


def counts(rows: Sequence[str]) -> str:
    """Return how many rows of the table came out how, in a sentence."""
    cells = [[cell.strip() for cell in one.split(" | ")] for one in rows]
    found = {name: sum(one[2] == name for one in cells) for name in (WORKS, REFUSED, WRONG)}
    glueless = sum(one[2:4] == [WORKS, "0"] for one in cells)
    return (
        f"{len(rows)} cases: {found[WORKS]} work, {glueless} of them without a line of glue; {found[REFUSED]} are "
        f"refused in one line; {found[WRONG]} wrong."
    )


def page(tried_now: Mapping[str, str], before: str) -> str:
    """Return what stands between the marks of docs/matrix.md.

    Args:
        tried_now: Rows by what they start with.
        before: What stood there: cases that were not tried now keep their rows.
    """
    found, kinds = [], list[str]()
    for case in cases():
        start = _start(case)
        kept = (line for line in before.splitlines() if line.startswith(start))
        if own := tried_now.get(start) or next(kept, None):
            found.append(own)
            kinds.append(case.kind)
    held = [f"{name} {_version(name)}" for name in PACKAGES if _version(name)]
    told = f"**{counts(found)}** By kind: {', '.join(f'{kind} {count}' for kind, count in Counter(kinds).items())}."
    made = (
        f"{datetime.date.today()}; {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
    )
    return "\n".join([told, "", f"{made}{', '.join(held)}.", "", HEAD, *found])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the cases, and print the table in Markdown."""
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose kind or name holds this text")
    parser.add_argument("--write", action="store_true", help="put the rows into docs/matrix.md")
    asked = parser.parse_args(arguments)
    found, lacking, start = dict[str, str](), [], time.perf_counter()
    for case in cases():
        if asked.only not in f"{case.kind}: {case.name}":
            continue
        if any(find_spec(one) is None for one in case.needs):
            lacking.append(case.name)
            continue
        outcome = tried(case)
        found[_start(case)] = row(outcome)
        print(f"{row(outcome)} {outcome.seconds:.1f}", flush=True)
    print(f"\n{counts([*found.values()])} {time.perf_counter() - start:.0f} s.")
    if lacking:
        print(f"Left out for want of packages: {', '.join(lacking)}.")
    if asked.write:
        head, rest = PAGE.read_text(encoding="utf-8").split(START)
        held, tail = rest.split(END)
        PAGE.write_text(f"{head}{START}\n{page(found, held)}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
