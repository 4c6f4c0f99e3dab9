"""Where a command may write: never over what it reads, nor where another run writes, and whatever the place is like."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from kill import OWN, QUICK

from audit.atomic_write import locked

AUDIT = "audit model.pt --arch own.py:network --private v --task y --layer 2:input --attackers logistic --device cpu"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network, rows and options, which is the present one."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    torch.save(network.state_dict(), tmp_path / "model.pt")
    (tmp_path / "own.py").write_text(OWN)
    draw = np.random.default_rng(0).normal(size=(40, 5))
    lines = ["a,b,c,d,e,y,v", *(",".join(map(str, [*row, int(row[0] > 0), int(row[1] > 0)])) for row in draw)]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    (tmp_path / "options.toml").write_text("limit = 0.1\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "metadata.csv").write_text("file_name,v\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(place: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    "asked",
    [
        f"{AUDIT} --data rows.csv --features a,b,c,d,e -o rows.csv",
        f"{AUDIT} --data rows.csv --features a,b,c,d,e -o ./folder/../own.py",
        f"{AUDIT} --data own.py:rows --config options.toml -o options.toml",
        f"{AUDIT} --data own.py:rows --config=options.toml -o options.toml",
        f"{AUDIT} --data folder -o folder/metadata.csv",
        f"{AUDIT} --data own.py:rows -o model.pt",
        "sanitize model.pt --arch own.py:network --data rows.csv --task y --private v -o model.pt",
        f"sanitize model.pt {QUICK} --config own.py.json -o own.py",
    ],
)
def test_what_a_command_reads_is_not_written_over(asked: str, place: Path, run: Callable[..., Result]) -> None:
    (place / "own.py.json").write_text("a = 1")
    before = contents(place)
    done = run(asked)
    assert done.exit_code == 1, done.output
    assert done.output.count("\n") == 1
    assert contents(place) == before


@pytest.mark.parametrize(
    "asked",
    [
        f"{AUDIT} --data own.py:rows -o out.json",
        f"sanitize model.pt {QUICK} -o out.pt",
        f"sweep model.pt {QUICK} --methods plain -o out.json",
    ],
)
def test_a_second_run_on_an_output_is_refused_before_its_work(asked: str, place: Path) -> None:
    before = contents(place)
    with locked(place / asked.rpartition(" ")[2]):
        done = subprocess.run(
            [sys.executable, "-m", "irene", *asked.split()], capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert f"is being written by another run (process {os.getpid()})" in done.stderr
    assert done.stderr.count("\n") == 1
    assert contents(place) == before


def test_two_checkpoints_do_not_share_a_program(place: Path, run: Callable[..., Result]) -> None:
    assert run(f"sanitize model.pt {QUICK} --layer 2:input -o clean.pt").exit_code == 0
    before = contents(place)
    done = run(f"sanitize model.pt {QUICK} --layer 2:input --method plain -o clean.pth")
    assert done.exit_code == 1
    assert "clean.pt2 is the program of clean.pt and would be lost" in done.output
    assert contents(place) == before


@pytest.mark.slow
def test_a_machine_without_a_home_and_a_name_that_is_no_text_make_no_noise(place: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "HOME": "/dev/null"}
    command: list[str | bytes] = [
        sys.executable,
        "-m",
        "irene",
        *f"{AUDIT} --data own.py:rows -o".split(),
        b"out\xff.json",
    ]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert rb"Wrote out\udcff.json" in done.stdout
    assert all(line.startswith(b"Note: ") for line in done.stderr.splitlines()), done.stderr
    assert (place / os.fsdecode(b"out\xff.json")).is_file()
