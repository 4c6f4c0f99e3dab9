"""Ctrl-C and SIGTERM end every command in one line, with the exit code that a shell gives, and nothing half-written."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from kill import OWN

import irene

STOPPING = (
    OWN
    + """
import os

class Stopping(Rows):
    left = LEFT
    def __getitem__(self, row):
        Stopping.left -= 1
        if Stopping.left == 0:
            os.kill(os.getpid(), SIGNAL)
        return super().__getitem__(row)

def stopping(part):
    from dataclasses import replace
    return replace(rows(part), inputs=Stopping(rows(part).inputs.x))
"""
)
MODEL = "--arch own.py:network --task y --private v --device cpu --layer 2:input --data own.py:stopping"
COMMANDS = {
    "audit": f"audit model.pt {MODEL} --attackers logistic -o out.pt",
    "sanitize": f"sanitize model.pt {MODEL} --allow-chance --method plain --epochs 4 --batch-size 64 -o out.pt",
    "sweep": f"sweep model.pt {MODEL} --allow-chance --epochs 1 --batch-size 64 --attackers logistic -o out.json",
}
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network, which is the present one."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    torch.save(network.state_dict(), tmp_path / "model.pt")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stop_after(reads: int, number: int, place: Path) -> None:
    """Write a source of rows that sends this process a signal when so many were read."""
    (place / "own.py").write_text(STOPPING.replace("LEFT", str(reads)).replace("SIGNAL", str(int(number))))


@pytest.mark.parametrize("number", CODES, ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_stopped_command_says_one_line_and_leaves_nothing(
    command: str, number: signal.Signals, place: Path, run: Callable[..., Result]
) -> None:
    stop_after(20, number, place)
    before = signal.getsignal(signal.SIGTERM)
    done = run(COMMANDS[command])
    assert (done.exit_code, done.stderr) == (CODES[number], "Stopped. No file is half-written.\n")
    assert sorted(path.name for path in place.iterdir() if path.is_file()) == ["model.pt", "own.py"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_run_that_is_stopped_between_epochs_says_how_it_goes_on_and_its_state_is_its_owners(
    place: Path, run: Callable[..., Result]
) -> None:
    stop_after(1_100, signal.SIGTERM, place)
    done = run(COMMANDS["sanitize"])
    assert done.exit_code == 143
    assert re.fullmatch(r"Stopped; the last whole epoch is in out\.pt\.state\. Go on with --resume\.\n", done.stderr)
    assert sorted(path.name for path in place.iterdir() if path.is_file()) == ["model.pt", "out.pt.state", "own.py"]
    assert Path("out.pt.state").stat().st_mode & 0o077 == 0
    stop_after(-1, signal.SIGTERM, place)
    assert run(COMMANDS["sanitize"], "--resume").exit_code == 0
    assert not Path("out.pt.state").exists()


BUSY = """
import os, signal, torch
from sklearn.base import BaseEstimator, ClassifierMixin

class Busy(ClassifierMixin, BaseEstimator):
    def fit(self, z, v):
        os.kill(os.getpid(), SIGNAL)
        x = torch.randn(400, 400, requires_grad=True)
        while True:
            (x @ x).tanh().sum().backward()
"""
"""An attacker that stops its own process, and trains on."""


@pytest.mark.parametrize("number", CODES, ids=["Ctrl-C", "SIGTERM"])
def test_a_process_that_is_stopped_while_an_attacker_trains_ends_with_its_own_line_and_code(
    number: signal.Signals, tmp_path: Path
) -> None:
    z = np.random.default_rng(0).normal(size=(600, 4)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", z=z, v=(z[:, 0] > 0).astype(int))
    (tmp_path / "busy.py").write_text(BUSY.replace("SIGNAL", str(int(number))))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    # A job in the background ignores Ctrl-C, and so does what it starts.
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = "audit rows.npz --private v --attackers busy:Busy -o out.json"
    paths = os.pathsep.join([str(Path(irene.__file__).parents[1]), "."])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{heeding}; from irene.command import run; run()", *command.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = done.stderr.splitlines()
    assert (done.returncode, lines[-1]) == (CODES[number], "Stopped. No file is half-written.")
    assert "terminate" not in done.stderr
    assert not list(temporary.iterdir()) and not (tmp_path / "out.json").exists()
