"""Several processes that torchrun started extract what one does, to the last bit, and one of them speaks."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result

from audit.errors import IreneError
from audit.parallel.ranks import is_first

MODEL = """
import os, signal, time
import numpy as np
import torch
from torch import nn
from audit.data.labelled import labelled
from audit.errors import UnreadableError
from audit.model.features import saved_batches

if "SAVES" in os.environ:
    saved_batches.SECONDS = 0
if "LATE" in os.environ and os.environ["RANK"] == "0":
    time.sleep(5)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head, self.whole = nn.Linear(12, 2100), nn.Linear(2100, 3), 0

    def forward(self, x):
        self.whole += len(x) == 64
        if os.environ.get("RANK") == "1" and self.whole == int(os.environ.get("DIES_AT", -1)):
            os.kill(os.getpid(), signal.SIGKILL)
        if "COUNTED" in os.environ and len(x) == 64:
            with open(os.environ["COUNTED"], "a") as file:
                file.write(".")
        return self.head(self.encoder(x).relu())

class Rows(torch.utils.data.Dataset):
    def __init__(self, x, broken):
        self.x, self.broken = x, broken

    def __len__(self):
        return len(self.x)

    def __getitem__(self, row):
        if row == 5:
            raise UnreadableError("Row 5 is broken. Mend it.")
        if row == self.broken:
            raise ValueError("nothing is here")
        return self.x[row]

def rows(part, broken=None, moved=0):
    draw = np.random.default_rng(0)
    v, y = draw.integers(0, 2, 700), draw.integers(0, 3, 700)
    x = draw.normal(size=(700, 12)).astype(np.float32)
    x[:, 0] += 2 * v
    x[100] += moved
    x[650] = x[3]  # a copy in the last share
    person = np.arange(700) % 350  # half of each in each share
    return labelled(Rows(torch.from_numpy(x), broken), {"v": v.astype(str), "y": y.astype(str)}, group=person)
"""
ASKED = (
    *("--data", "net.py:rows", "--task", "y", "--private", "v", "--arch", "net.py:Net", "--layer", "encoder"),
    *("--attackers", "logistic", "--batch-size", "64", "--device", "cpu"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ranks")
    (path / "net.py").write_text(MODEL, encoding="utf-8")
    space: dict[str, Any] = {}
    exec(MODEL, space)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(space["Net"]().state_dict(), path / "net.pt")
    return path


def audited(
    folder: Path, processes: int, *more: str, output: str = "", **environment: str
) -> list[subprocess.CompletedProcess[str]]:
    """Run the audit in so many processes, and return what each said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), **environment}
    if processes > 1:
        common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
    command = [sys.executable, "-m", "irene", "audit", "net.pt", *ASKED, *more, "-o", output or f"{processes}.json"]
    running = [
        subprocess.Popen(
            command,
            cwd=folder,
            env=common | ({"RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(processes)
    ]
    said = [process.communicate(timeout=200) for process in running]
    return [
        subprocess.CompletedProcess(command, process.returncode, out, err)
        for process, (out, err) in zip(running, said, strict=True)
    ]


def evidence(path: Path) -> dict[str, Any]:
    """Read evidence without what no two runs have in common."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {name: value for name, value in found.items() if name not in ("created", "command", "digest")}


@pytest.fixture(scope="module")
def alone(folder: Path) -> subprocess.CompletedProcess[str]:
    """Audit in one process, and count the batches of 64 rows that the model runs."""
    return audited(folder, 1, COUNTED="alone.txt")[0]


@pytest.mark.slow
def test_two_processes_find_what_one_does_to_the_last_bit_and_the_first_alone_speaks(
    folder: Path, alone: subprocess.CompletedProcess[str]
) -> None:
    first, second = audited(folder, 2)
    assert [one.returncode for one in (alone, first, second)] == [0, 0, 0], first.stderr + second.stderr
    assert (second.stdout, second.stderr) == ("", "")
    assert first.stdout.replace("2.json", "1.json") == alone.stdout
    one = json.loads((folder / "1.json").read_text(encoding="utf-8"))
    assert one["data"]["copies"] == 2 and one["data"]["unreadable"] == 1
    assert evidence(folder / "2.json") == evidence(folder / "1.json")
    assert not [*folder.glob("*.state")]  # so short a pass leaves none


@pytest.mark.slow
def test_what_goes_wrong_in_the_second_process_is_one_line_of_the_first(folder: Path) -> None:
    first, second = audited(folder, 2, "--data-arg", "broken=660")
    assert first.returncode == 1
    assert len(first.stderr.splitlines()) == 1
    assert first.stderr.startswith("Error: The input of row 660 failed with ValueError: nothing is here (net.py, line")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    first, second = audited(folder, 2, DIES_AT="0")
    assert (first.returncode, second.returncode) == (1, -9)
    assert [line for line in first.stderr.splitlines() if line.startswith("Error")] == [
        "Error: A process of torchrun ended before its rows were read. No evidence was written; run the command again."
    ]


@pytest.mark.slow
def test_no_process_adds_to_the_state_of_an_audit_that_is_not_gone_on_with(folder: Path) -> None:
    state = folder / "left.json.state"
    state.mkdir()
    (state / "0-3.safetensors").write_bytes(b"another's")
    first, second = audited(folder, 2, output="left.json", SAVES="1")
    assert (first.returncode, second.returncode) == (1, 1)
    (told,) = (line for line in first.stderr.splitlines() if line.startswith("Error"))
    assert told.startswith("Error: left.json.state is the state of an audit that did not end.")
    assert "Error" not in second.stderr and "Traceback" not in second.stderr
    assert [path.name for path in state.iterdir()] == ["0-3.safetensors"]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_an_audit_of_which_a_process_was_lost_goes_on_where_it_was(
    processes: int, folder: Path, alone: subprocess.CompletedProcess[str]
) -> None:
    name = f"lost-{processes}.json"
    state = folder / f"{name}.state"
    first, second = audited(folder, 2, output=name, SAVES="1", DIES_AT="4", LATE="1")  # the second has saved by then
    assert (first.returncode, second.returncode) == (1, -9)
    (told,) = (line for line in first.stderr.splitlines() if line.startswith("Error"))
    assert told == (
        "Error: A process of torchrun ended before its rows were read. No evidence was written; run the command again. "
        f"What the model gave so far is in {state.name}, which holds representations of your rows: go on with "
        "--resume, or remove it."
    )
    assert not (folder / name).exists() and [*state.iterdir()]
    assert {oct(path.stat().st_mode & 0o777) for path in (state, *state.iterdir())} == {"0o700", "0o600"}

    said = audited(folder, processes, "--resume", output=name, COUNTED=f"{processes}.txt")
    assert [one.returncode for one in said] == [0] * processes, said[0].stderr
    assert evidence(folder / name) == evidence(folder / "1.json")
    assert not state.exists()
    anew, resumed = (len((folder / f"{of}.txt").read_text()) for of in ("alone", processes))
    assert resumed == anew - 4  # of ten that were made, two that are to be turned and those of fewer rows aside


def test_a_state_that_cannot_be_gone_on_from_is_told_in_one_sentence_and_its_way_out(
    run: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    state = folder / "none.json.state"
    asked = (" ".join(ASKED), "-o none.json")
    said = [run("audit net.pt", *asked, "--resume").output]
    state.mkdir()
    (state / "0-3.safetensors").write_bytes(b"no")
    said += [run("audit net.pt", *asked, more).output for more in ("--resume", "")]
    none, damaged, there = (one.splitlines()[-1] for one in said)
    assert none == "Error: No state none.json.state to go on from. Leave --resume out to begin."
    assert damaged.startswith("Error: none.json.state/0-3.safetensors is damaged: ")
    assert damaged.endswith(". Remove none.json.state to begin anew.") and "--resume" not in damaged
    assert there == (
        "Error: none.json.state is the state of an audit that did not end. Go on with --resume, or remove it to begin "
        "anew."
    )
    assert not (folder / "none.json").exists()
    result = run("audit", folder / "z.npz", "--private v --resume")
    assert "holds embeddings, which need no --resume. Leave it out." in result.output


@pytest.mark.parametrize(("rank", "size"), [("1", None), ("x", None), ("3", "1"), ("0", "2"), ("", "")])
def test_a_rank_without_other_processes_is_no_torchrun(
    rank: str, size: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if size is not None:
        monkeypatch.setenv("WORLD_SIZE", size)
    assert is_first()


@pytest.mark.parametrize("what", ["audit", "sanitize"])
def test_embeddings_are_read_where_a_rank_stands_in_the_environment(
    what: str, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    v = np.arange(300) % 2
    z = np.random.default_rng(0).normal(size=(300, 4)) + v[:, None]
    np.savez(tmp_path / "z.npz", z=z.astype(np.float32), v=v.astype(str))
    monkeypatch.setenv("RANK", "1")
    asked = {
        "audit": f"--attackers logistic -o {tmp_path / 'a.json'}",
        "sanitize": f"--method leace -o {tmp_path / 'clean.npz'}",
    }
    result = run(what, tmp_path / "z.npz", "--private v", asked[what])
    assert result.exit_code == 0, result.output
    assert "Wrote" in result.output


@pytest.mark.parametrize(("variable", "value"), [("WORLD_SIZE", "x"), ("WORLD_SIZE", "0"), ("RANK", "-1")])
def test_what_is_no_number_of_torchruns_is_told_in_one_line(
    variable: str, value: str, run: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv(variable, value)
    result = run("audit net.pt", " ".join(ASKED), "-o", folder / "none.json")
    assert (result.exit_code, result.output.splitlines()[-1]) == (
        1,
        f"Error: The environment sets {variable} to '{value}', which is no number of torchrun's. Unset it, or start "
        "irene by torchrun.",
    )


@pytest.mark.parametrize(
    ("rank", "master", "odd"),
    [("5", "127.0.0.1", "RANK to 5"), ("2", None, "RANK to 2"), ("1", None, "no MASTER_ADDR")],
)
def test_a_process_that_cannot_be_one_of_torchruns_leaves_no_work_to_another(
    rank: str, master: str | None, odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", rank)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    if master:
        monkeypatch.setenv("MASTER_ADDR", master)
    with pytest.raises(IreneError, match=f"WORLD_SIZE to 2 and {odd}, so torchrun did not start"):
        is_first()


def test_a_number_of_processes_that_nothing_started_is_told_in_one_line(
    run: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = run("audit net.pt", " ".join(ASKED), "-o", folder / "none.json")
    assert result.exit_code == 1
    assert "torchrun started nothing: " in result.output.splitlines()[-1]
