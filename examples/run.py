"""Run the examples, and hold what they print against what is kept of it in examples/outputs.

    python examples/run.py                  all of them; exit code 1 where one prints something else
    python examples/run.py tabular --write  one of them, and keep what it prints

Words and whole numbers have to be the same. Figures with a decimal differ a little from machine to machine: by 5
points at most, or by .05 below 1.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
OUTPUTS = HERE / "outputs"
NAMES = ("demo", "checkpoint", "tabular", "text", "embeddings", "before_after")
"""In the order of docs/examples.md."""
FIGURE = re.compile(r"\d+\.\d+")
NEAR, NEAR_BELOW_ONE = 5.0, 0.05


def printed(name: str) -> str:
    """Return what an example prints; its warnings and progress, on stderr, are shown as they come."""
    settings = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1"}
    settings["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    called = [sys.executable, str(HERE / f"{name}.py")]
    done = subprocess.run(called, env=settings, stdout=subprocess.PIPE, text=True, check=True)
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def same(kept: str, now: str) -> bool:
    """Return whether two outputs say the same, figures with a decimal about the same."""
    if FIGURE.sub("·", kept) != FIGURE.sub("·", now):
        return False
    figures = zip(map(float, FIGURE.findall(kept)), map(float, FIGURE.findall(now)), strict=True)
    return all(abs(a - b) <= (NEAR if max(a, b) > 1 else NEAR_BELOW_ONE) for a, b in figures)


def main() -> None:
    """Run, and compare or keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], default=[], metavar="NAME")
    parser.add_argument("--write", action="store_true", help="keep what they print now")
    given = parser.parse_args()
    different = []
    for name in given.names or NAMES:
        print(f"# examples/{name}.py", flush=True)
        now, path = printed(name), OUTPUTS / f"{name}.txt"
        print(now, flush=True)
        if given.write:
            path.write_text(now, encoding="utf-8")
        elif not same(kept := path.read_text(encoding="utf-8"), now):
            different.append(name)
            print("\n".join(difflib.unified_diff(kept.splitlines(), now.splitlines(), "kept", "now", lineterm="")))
    if different:
        sys.exit(f"Other than what is kept: {', '.join(different)}. If that is right: python examples/run.py --write")


if __name__ == "__main__":
    main()
