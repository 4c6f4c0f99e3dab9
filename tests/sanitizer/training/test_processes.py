"""Several processes with a share of each batch do what one process does with all of it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

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
if sys.argv[1] != "settled":
    low_rank.STEPS = 0  # what is settled after the step, by each process on all rows, enlarges the step's rounding
methods = {"irene": Irene(5.0, head="mlp"), "kernel": Kernel(), "codebook": Codebook(5.0), "rich": Rich(rank=4)}
methods["settled"] = methods["rich"]
model = net()
recipe = Recipe(1, 80, "sgd", lr=0.1, weight_decay=0)
fine_tune(model, TrainingJob(rows(), "y", "encoder", ["v"], method=methods[sys.argv[1]], recipe=recipe))
torch.save(model.state_dict(), sys.argv[2])
"""


def trained(name: str, processes: int, folder: Path) -> dict[str, torch.Tensor]:
    """Take one step with 80 rows in so many processes, and return the weights of the first."""
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
        "OMP_NUM_THREADS": "1",
    }
    path = folder / f"{name}{processes}"
    running = [
        subprocess.Popen(
            [sys.executable, str(folder / "script.py"), name, f"{path}.{rank}"],
            env=os.environ | (common if processes > 1 else {"PYTHONPATH": common["PYTHONPATH"]})
            | ({"RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}),
            stderr=subprocess.PIPE,
        )
        for rank in range(processes)
    ]  # fmt: skip
    for process in running:
        _, told = process.communicate(timeout=120)
        assert process.returncode == 0, told.decode()
    states = [torch.load(f"{path}.{rank}") for rank in range(processes)]
    for name_, tensor in states[0].items():
        assert all(torch.equal(tensor, state[name_]) for state in states[1:]), "the processes differ"
    found: dict[str, torch.Tensor] = states[0]
    return found


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
@pytest.mark.parametrize("name", ["irene", "kernel", "codebook", "rich"])
def test_two_processes_with_half_the_batch_take_the_step_of_one_with_all_of_it(name: str, tmp_path: Path) -> None:
    one, two = trained(name, 1, tmp_path), trained(name, 2, tmp_path)
    assert one.keys() == two.keys()
    for key, tensor in one.items():
        assert torch.allclose(two[key], tensor, atol=1e-6, rtol=0), key  # a step of .1: gradients to 1e-5


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_two_processes_settle_the_map_of_a_rich_release_alike_and_nearly_as_one_does(tmp_path: Path) -> None:
    one, two = trained("settled", 1, tmp_path), trained("settled", 2, tmp_path)  # bit for bit the same in both
    assert torch.allclose(two["irene.map.weight"], one["irene.map.weight"], atol=0.02)
    step = trained("rich", 1, tmp_path)["irene.map.weight"]
    assert (one["irene.map.weight"] - step).abs().max() > 0.02  # it has moved by more than they differ
