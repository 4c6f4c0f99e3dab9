"""What SIGKILL leaves: runs of sanitize, audit, report and sweep, killed at random moments, and taken up again.

    python benchmarks/kill.py --runs 100
    python benchmarks/kill.py --runs 20 --seed 1

Every run starts beside the whole set of an older one and is killed, every second one at a moment drawn from the time
that an undisturbed run takes, the others before a file that is drawn gets or loses its name. Then what stands there is
told apart, the command is given again (`--resume` where there is a state), and its files are compared, bit for bit,
with those of the undisturbed run. What no two runs have in common is left out: the times in the evidence, and in its
digest.
"""

import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import click

TIMES = ("created", "digest", "seconds", "train_seconds", "audit_seconds", "fit_seconds", "command")
OWN = """
import torch
from torch import nn
from audit.data.columns import Column
from audit.data.labelled import LabelledData

def network():
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))

class Rows:
    def __init__(self, x):
        self.x = x
    def __len__(self):
        return len(self.x)
    def __getitem__(self, row):
        return self.x[row]

def rows(part, n=400):
    x = torch.randn(n, 5, generator=torch.Generator().manual_seed(int(part == "train")))
    y, v, k = ((x[:, i] > 0).long().numpy() for i in (0, 1, 2))
    columns = {"y": Column(y, ("a", "b")), "v": Column(v, ("c", "d")), "k": Column(k, ("e", "f"))}
    return LabelledData("toy", Rows(x), columns)
"""
ROWS = "--arch own.py:network --data own.py:rows --task y --private v --device cpu"
QUICK = f"{ROWS} --allow-chance --epochs 3 --batch-size 64"
AUDIT = f"{ROWS} --attackers logistic,products"
COMMANDS = {
    "sanitize codebook": f"sanitize model.pt {QUICK} --layer 2:input -o out/clean.pt",
    "sanitize rich": f"sanitize model.pt {QUICK} --layer 2:input --method rich -o out/clean.pt",
    "sanitize irene": f"sanitize model.pt {QUICK} --layer 2:input --method irene -o out/clean.pt",
    "sanitize pairs": f"sanitize model.pt {QUICK} --layer 2:input --keep k --method pairs --words 8 -o out/clean.pt",
    "audit": f"audit model.pt {AUDIT} --layer 2:input -o out/audit.json",
    "report": "report before.json --dpia -o out/report.html",
    "sweep": f"sweep model.pt {QUICK} --attackers logistic --layer 2:input --methods plain,leace -o out/sweep.json",
}
OLD = {
    "sanitize codebook": f"{COMMANDS['sanitize codebook']} --lr 0.002",
    "sanitize rich": f"{COMMANDS['sanitize codebook']} --lr 0.002",
    "sanitize irene": f"{COMMANDS['sanitize codebook']} --lr 0.002",
    "sanitize pairs": f"{COMMANDS['sanitize codebook']} --lr 0.002",
    "audit": f"{COMMANDS['audit']} --seed 5",
    "report": "report after.json --dpia -o out/report.html",
    "sweep": f"sweep model.pt {QUICK} --attackers logistic --layer 2:input --methods plain -o out/sweep.json",
}
"""What was run there before: other content under the same names, a program where there will be none."""
IMPORTED = (
    "irene.command",
    "audit.evidence.audit_result",
    "reports.audit_page.render",
    "sanitizer.run",
    "sanitizer.sweep.run",
)
"""Read once, so that a command starts at once."""
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Place:
    """One command in its folder: what stood there, and what an undisturbed run leaves."""

    folder: Path
    command: str
    old: Files
    new: Files
    seconds: float
    moves: int
    """How often a file gets or loses its name."""


def files(folder: Path) -> dict[str, bytes]:
    """Return what a reader sees in a folder, without what differs from run to run."""
    return {path.name: _lasting(path) for path in sorted(folder.iterdir()) if not path.name.startswith(".")}


def left(found: Files, old: Files, new: Files) -> str:
    """Name what a killed run left: a whole set, one that the same command completes, or a mixed one."""
    kept = {name: content for name, content in found.items() if not name.endswith(".state")}
    if kept == old:
        return "old set"
    if kept == new:
        return "new set"
    is_old, is_new = (all(kept[name] == side.get(name) for name in kept) for side in (old, new))
    grown = all(name.endswith(".json") and b'"points"' in content for name, content in kept.items())
    return "resumable" if is_old or is_new or (grown and kept) else "MIXED"


def run(arguments: Sequence[str], folder: Path, before: Callable[[], None] | None = None) -> BaseProcess:
    """Start a command in a process, calling `before` each time a file gets or loses its name; return the process.

    It is forked from a server that has only imported: a process that has trained must not fork.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    process = context.Process(target=_command, args=(tuple(arguments), folder, before))
    process.start()
    return process


def _command(arguments: tuple[str, ...], folder: Path, before: Callable[[], None] | None) -> None:
    import torch

    torch.set_num_threads(1)
    os.chdir(folder)
    quiet = os.open(folder / ".log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(quiet, 1), os.dup2(quiet, 2)
    if before:
        _hook(before)
    from irene.command import main

    main(list(arguments), prog_name="irene")


def _hook(before: Callable[[], None]) -> None:
    for name in ("replace", "unlink"):
        _hook_one(name, getattr(Path, name), before)


def _hook_one(name: str, real: Callable[..., object], before: Callable[[], None]) -> None:
    def hooked(path: Path, *given: object, **more: object) -> object:
        if not path.name.startswith(".") or name == "replace":
            before()
        return real(path, *given, **more)

    setattr(Path, name, hooked)


def dying(move: int) -> Callable[[], None]:
    """Return what kills its process when it is called for the time of this number, from 0."""
    return partial(_die, iter(range(move, -1, -1)))


def _die(left: Iterator[int]) -> None:
    if next(left) == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def _count(counted: Path) -> None:
    with counted.open("a") as file:
        file.write("x")


def ended(process: BaseProcess) -> int | None:
    """Wait for a process; return its exit code, or minus the signal that ended it."""
    process.join()
    return process.exitcode


def _lasting(path: Path) -> bytes:
    if path.suffix != ".json":
        return path.read_bytes()
    return json.dumps(_without_times(json.loads(path.read_bytes())), sort_keys=True).encode()


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_times(one) for key, one in value.items() if key not in TIMES}
    return [_without_times(one) for one in value] if isinstance(value, list) else value


def give(given: Path) -> None:
    """Make the folder that every command starts in: a model that leaks, its rows, and two audits of it."""
    import torch

    given.mkdir()
    (given / "own.py").write_text(OWN)
    torch.manual_seed(0)
    torch.save(
        torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).state_dict(),
        given / "model.pt",
    )
    for name, number in (("before", 0), ("after", 1)):
        asked = f"audit model.pt {AUDIT} --seed {number} --layer 2:input -o {name}.json"
        assert ended(run(asked.split(), given)) == 0, (given / ".log").read_text()


def prepared(name: str, root: Path) -> Place:
    """Run a command undisturbed, beside an older set, and count."""
    folder = root / name.replace(" ", "-")
    shutil.copytree(root / "given", folder)
    assert ended(run(OLD[name].split(), folder)) == 0, (folder / ".log").read_text()
    shutil.copytree(folder / "out", folder / "old")
    counted = folder / ".counted"
    start = time.perf_counter()
    assert ended(run(COMMANDS[name].split(), folder, partial(_count, counted))) == 0, (folder / ".log").read_text()
    seconds = time.perf_counter() - start
    moves = counted.stat().st_size if counted.exists() else 0
    return Place(folder, COMMANDS[name], files(folder / "old"), files(folder / "out"), seconds, moves)


def killed(place: Place, draw: random.Random, *, at_a_move: bool) -> tuple[str, bool, str]:
    """Kill one run; return what it left, whether the next one came to the same bits, and when it was."""
    out = place.folder / "out"
    shutil.rmtree(out)
    shutil.copytree(place.folder / "old", out)
    if at_a_move:
        ended(run(place.command.split(), place.folder, dying(draw.randrange(place.moves))))
        when = "before a move"
    else:
        moment = draw.uniform(0, place.seconds)
        process = run(place.command.split(), place.folder)
        time.sleep(moment)
        process.kill()
        ended(process)
        when = f"after {moment:.2f} s"
    found = files(out)
    state = any(name.endswith(".state") for name in found)
    outcome = left(found, place.old, place.new)
    again = ended(run([*place.command.split(), *(["--resume"] if state else [])], place.folder))
    return outcome, again == 0 and sorted(out.iterdir()) == _whole(out, place) and files(out) == place.new, when


def _whole(out: Path, place: Place) -> list[Path]:
    """Return all that may stand there: no lock, nothing half-written."""
    return sorted(out / name for name in place.new)


def _killed_in_turn(root: Path, runs: int, draw: random.Random) -> dict[str, Counter[str]]:
    """Kill commands in turn; count the outcomes of each, and keep the folder of what went wrong."""
    give(root / "given")
    places = {name: prepared(name, root) for name in COMMANDS}
    found: dict[str, Counter[str]] = {name: Counter() for name in COMMANDS}
    for number in range(runs):
        name = list(COMMANDS)[number % len(COMMANDS)]
        outcome, same, when = killed(places[name], draw, at_a_move=number // len(COMMANDS) % 2 == 1)
        found[name].update([outcome, "same bits" if same else "OTHER BITS"])
        if outcome == "MIXED" or not same:
            kept = Path(tempfile.mkdtemp(prefix=f"kill-{number}-"))
            shutil.copytree(places[name].folder, kept, dirs_exist_ok=True)
            told = f"{outcome}, {'same' if same else 'other'} bits; see {kept}"
            print(f"run {number}, {name}, killed {when}: {told}", file=sys.stderr)
    return found


@click.command()
@click.option("--runs", default=100, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(runs: int, seed: int) -> None:
    """Kill, look, take up again, and print a table of outcomes."""
    with tempfile.TemporaryDirectory(prefix="kill-") as root:
        found = _killed_in_turn(Path(root), runs, random.Random(seed))
    columns = ("old set", "new set", "resumable", "MIXED", "same bits", "OTHER BITS")
    print(f"| {' | '.join(('command', 'killed', *columns))} |\n|{'---|' * (len(columns) + 2)}")
    for name, counts in found.items():
        killed_runs = sum(counts[one] for one in columns[:4])
        print(f"| {name} | {killed_runs} | {' | '.join(str(counts[one]) for one in columns)} |")


if __name__ == "__main__":
    main()
