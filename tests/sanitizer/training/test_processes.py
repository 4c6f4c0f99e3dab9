"""Several processes with a share of each batch do what one process does with all of it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.training import net, rows

from sanitizer.job import Recipe, TrainingJob
from sanitizer.methods.irene import Irene
from sanitizer.record import record
from sanitizer.training.loop import Outcome

SCRIPT = """
import sys
import torch
from support.training import net, rows
from sanitizer.methods import low_rank
from sanitizer.methods.codebook import Codebook
from sanitizer.methods.irene import Irene
from sanitizer.methods.kernel import Kernel
from sanitizer.methods.rich import Rich
from sanitizer.job import Recipe, TrainingJob
from sanitizer.training.loop import fine_tune

torch.set_num_threads(1)
steps = low_rank.STEPS
methods = {"irene": Irene(5.0, head="mlp"), "kernel": Kernel(), "codebook": Codebook(5.0), "rich": Rich(rank=4)}
methods["settled"] = methods["rich"]
states = {}
for name, method in methods.items():
    # what is settled after the step, by each process on all rows, enlarges the step's rounding
    low_rank.STEPS = steps if name == "settled" else 0
    model = net()
    recipe = Recipe(1, 80, "sgd", lr=0.1, weight_decay=0)
    fine_tune(model, TrainingJob(rows(), "y", "encoder", ["v"], method=method, recipe=recipe))
    states[name] = model.state_dict()
torch.save(states, sys.argv[1])
"""
States = dict[str, dict[str, torch.Tensor]]
"""Weights by their method and name."""
pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")


def trained(processes: int, folder: Path) -> States:
    """Take one step by each method with 80 rows in so many processes, and return the weights of the first."""
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    running = [
        subprocess.Popen(
            [sys.executable, str(folder / "script.py"), str(folder / f"{processes}.{rank}")],
            env=os.environ | (common if processes > 1 else {"PYTHONPATH": common["PYTHONPATH"]})
            | ({"RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}),
            stderr=subprocess.PIPE,
        )
        for rank in range(processes)
    ]  # fmt: skip
    for process in running:
        _, told = process.communicate(timeout=240)
        assert process.returncode == 0, told.decode()
    found: list[States] = [torch.load(folder / f"{processes}.{rank}") for rank in range(processes)]
    for name, state in found[0].items():
        for key, tensor in state.items():
            assert all(torch.equal(tensor, other[name][key]) for other in found[1:]), f"{name}: the processes differ"
    return found[0]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[States, States]:
    """What one process and two come to."""
    folder = tmp_path_factory.mktemp("processes")
    return trained(1, folder), trained(2, folder)


@pytest.mark.parametrize("name", ["irene", "kernel", "codebook", "rich"])
def test_two_processes_with_half_the_batch_take_the_step_of_one_with_all_of_it(
    name: str, both: tuple[States, States]
) -> None:
    one, two = both[0][name], both[1][name]
    assert one.keys() == two.keys()
    for key, tensor in one.items():
        assert torch.allclose(two[key], tensor, atol=1e-6, rtol=0), key  # a step of .1: gradients to 1e-5


def test_two_processes_settle_the_map_of_a_rich_release_alike_and_nearly_as_one_does(
    both: tuple[States, States],
) -> None:
    one, two = (states["settled"]["irene.map.weight"] for states in both)  # bit for bit the same in both processes
    assert torch.allclose(two, one, atol=0.02)
    step = both[0]["rich"]["irene.map.weight"]
    assert (one - step).abs().max() > 0.02  # it has moved by more than they differ


@pytest.mark.parametrize(("world", "told"), [("1", []), ("2", ["the share of each of 2 processes, not of the batch"])])
def test_batch_normalisation_of_shares_is_told(world: str, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", world)
    job = TrainingJob(rows(), "y", "encoder", ["v"], method=Irene(), recipe=Recipe(1, 80))
    normed = torch.nn.Sequential(net(), torch.nn.BatchNorm1d(2))
    notes = record("irene", "0" * 64, normed, job, Outcome([], None, {}, 0)).notes
    assert [note for note in notes if "Batch normalisation" in note] == [
        f"Batch normalisation took the statistics of {one}" for one in told
    ]
    assert not any(
        "Batch norm" in note for note in record("irene", "0" * 64, net(), job, Outcome([], None, {}, 0)).notes
    )
