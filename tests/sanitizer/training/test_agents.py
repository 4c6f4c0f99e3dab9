"""Two agents of torchrun on one machine, as two hosts have one each, sanitize and audit as one process does."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from click.testing import Result

from audit.evidence.audit_result import read_audit

MODEL = """
import torch
from torch import nn
from audit.data.labelled import labelled

def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))

def rows(part):
    x = torch.randn(600, 6, generator=torch.Generator().manual_seed(len(part)))
    return labelled(x, {"y": (x[:, 0] > 0).numpy().astype(str), "v": (x[:, 1] + x[:, 0] > 0).numpy().astype(str)})
"""
TORCHRUN = ("-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1")
ROWS = (
    *("--arch", "net.py:net", "--data", "net.py:rows", "--task", "y", "--private", "v", "--layer", "2:input"),
    *("--device", "cpu"),
)
Run = Callable[..., Result]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed"),
]


def under_agents(folder: Path, *typed: str) -> None:
    """Run a command under two agents, each with a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    running = [
        subprocess.Popen(
            [sys.executable, *TORCHRUN, f"--node-rank={rank}", f"--master-port={port}", "-m", "irene", *typed],
            cwd=folder,
            env=place,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in running:
        _, told = process.communicate(timeout=240)
        assert process.returncode == 0, told


def test_two_agents_release_the_weights_of_one_process_and_find_the_same_evidence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(MODEL, encoding="utf-8")
    space: dict[str, Any] = {}
    exec(MODEL, space)
    with torch.random.fork_rng():
        safetensors.torch.save_file(space["net"]().state_dict(), tmp_path / "net.safetensors")
    recipe = (
        *("--method", "irene", "--epochs", "2", "--batch-size", "100", "--choose", "last", "--allow-chance"),
        *("--optimizer", "sgd", "--lr", "0.01"),  # Adam would make a step of the rounding of a gradient near 0
    )
    sanitizing = ("sanitize", "net.safetensors", *ROWS, *recipe, "-o")
    assert run(*sanitizing, "one.safetensors").exit_code == 0
    under_agents(tmp_path, *sanitizing, "two.safetensors")
    one, two = (safetensors.torch.load_file(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    apart = max(float((two[name].float() - one[name].float()).abs().max()) for name in one)
    assert apart < 1e-5
    auditing = ("audit", "one.safetensors", *ROWS, *("--attackers", "logistic", "--no-ceiling"), "-o")
    assert run(*auditing, "one.json").exit_code == 0
    under_agents(tmp_path, *auditing, "two.json")
    first, second = (read_audit(tmp_path / f"{name}.json") for name in ("one", "two"))
    assert second.findings == first.findings and second.task == first.task
    assert second.data.fingerprint == first.data.fingerprint
