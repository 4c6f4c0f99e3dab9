"""Does a stranger's file ever end in a traceback, more than 2 GB or 20 s? Hypothesis changes valid files to find one.

    python benchmarks/fuzz.py --seconds 600
    python benchmarks/fuzz.py --seconds 120 --target image --seed 7

Each kind of file is read in a process of its own, which may take 2 GB more memory than it has after reading the valid
files. An input is a finding if its reader raises anything but an IreneError (or click's own error of options), takes
20 s, or asks for more memory, even where it then refuses the file in one line. Findings are kept in --keep.
"""

import faulthandler
import json
import logging
import re
import resource
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

SECONDS, MEMORY = 20, 2 * 2**30
NAMES = ("checkpoint", "embeddings", "table", "metadata", "image", "evidence", "config")
ROUND = 100
"""Inputs before the clock is looked at."""


@dataclass(frozen=True)
class Found:
    """What came of one target."""

    inputs: int
    findings: dict[str, str]
    """The file of an input, by what it ended in."""


def run(target: str, folder: Path, *, seconds: float, seed: int, inputs: int | None = None) -> Found:
    """Fuzz one kind of file in other processes until the time is over, or for so many inputs."""
    end, count, findings = time.monotonic() + seconds, 0, dict[str, str]()
    while (left := end - time.monotonic()) > 0:
        work = Path(folder) / f"{target}-{seed}"
        work.mkdir(parents=True)
        command = [sys.executable, __file__, "--worker", str(work), "--target", target, "--seconds", str(left)]
        done = subprocess.run(
            [*command, "--seed", str(seed), *(["--inputs", str(inputs)] if inputs else [])],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if (work / "state.json").exists():
            state = json.loads((work / "state.json").read_text())
            count += state["inputs"]
            findings |= state["findings"]
        if done.returncode:
            where = re.findall(r'File ".*?([\w/]+\.py)", line (\d+),? in (\w+)', done.stderr)
            findings[f"the process ended with {done.returncode} at {where[:12]}"] = str(work)
            (work / "stderr.txt").write_text(done.stderr)
        if inputs:
            break
        seed += 1000
    return Found(count, findings)


def work(target: str, folder: Path, *, seconds: float, seed: int, most: int | None) -> None:
    """Read changed files in this process, and keep count in `state.json`."""
    from fuzz_edits import files
    from fuzz_seeds import TARGETS
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    faulthandler.enable()  # of a crash in a library, too, the place is told
    one, seeds = TARGETS[target], dict(TARGETS[target].seeds())
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    for name, content in seeds.items():
        (folder / name).write_bytes(content)
        _ending(one.read, folder / name)
    now = int(re.findall(r"VmSize:\s+(\d+)", Path("/proc/self/status").read_text())[0]) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
    count, findings, end = 0, dict[str, str](), time.monotonic() + seconds
    while time.monotonic() < end and (most is None or count < most):

        @seeded(seed + count)
        @settings(
            max_examples=ROUND, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(file=files(seeds))
        def read(file: tuple[str, bytes]) -> None:
            nonlocal count
            if time.monotonic() > end or (most is not None and count >= most):
                return
            name, content = file
            (folder / name).write_bytes(content)
            count += 1
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            fault = _ending(one.read, folder / name)
            faulthandler.cancel_dump_traceback_later()
            if fault is not None and fault not in findings:
                kept = folder / f"{len(findings)}-{name}"
                kept.write_bytes(content)
                findings[fault] = str(kept)

        read()
        (folder / "state.json").write_text(json.dumps(asdict(Found(count, findings))))


def _ending(read: object, path: Path) -> str | None:
    """Return what was wrong with the way in which a file was read; None if nothing."""
    from audit.errors import IreneError

    assert callable(read)
    try:
        read(path)
    except (IreneError, click.ClickException) as error:
        asked = next((one for one in _chain(error) if _is_memory(one)), None)
        return None if asked is None else f"asked for too much memory: {_place(asked)}"
    except BaseException as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:120]} at {_place(error)}"
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__context__


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "allocate memory" in str(error)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if "site-packages" not in one.filename]
    return ", ".join(f"{Path(one.filename).name}:{one.lineno}" for one in (own[-1], frames[-1]))


@click.command()
@click.option("--seconds", type=float, default=600, show_default=True, help="For each kind of file.")
@click.option("--target", type=click.Choice(NAMES), multiple=True, help="Kinds of files; all if left out.")
@click.option("--seed", type=int, help="Of the inputs; of the clock if left out.")
@click.option("--inputs", type=int, help="Stop after so many.")
@click.option("--keep", type=click.Path(path_type=Path), help="A folder for the inputs that are findings.")
@click.option("--worker", type=click.Path(path_type=Path), hidden=True)
def fuzz(
    seconds: float,
    target: tuple[str, ...],
    seed: int | None,
    inputs: int | None,
    keep: Path | None,
    worker: Path | None,
) -> None:
    """Print how many inputs of each kind were read, and which were findings."""
    seed = int(time.time()) if seed is None else seed
    if worker:
        work(target[0], worker, seconds=seconds, seed=seed, most=inputs)
        return
    print("| file | inputs | findings | seconds |\n|---|---|---|---|")
    with TemporaryDirectory() as temporary:
        for name in target or NAMES:
            start = time.monotonic()
            found = run(name, keep or Path(temporary), seconds=seconds, seed=seed, inputs=inputs)
            print(f"| {name} | {found.inputs:,} | {len(found.findings)} | {time.monotonic() - start:.0f} |", flush=True)
            for fact, file in found.findings.items():
                print(f"{fact}\n    {file}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    fuzz()
