"""What the end-to-end tests share: a model that leaks, its audit, and the command line called in-process."""

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from click.testing import CliRunner, Result

import irene
from audit.data import open_data
from audit.datasets.networks import small_convnet
from sanitizer.training import Recipe, fine_tune

ROWS = "--arch small-convnet --data digits --task digit --private colour"
QUICK = "--attackers logistic --limit-rows 1500"

OWN = """
from dataclasses import replace
import numpy as np
from torch import nn
from audit.data import Column
from audit.datasets.digits import load
from audit.datasets.networks import small_convnet

def network(classes=10):
    return small_convnet(classes)

def wide():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

def rows(part, shift=0):
    data = load(part, seed=shift)
    odd = Column(data.columns["digit"].codes % 2, ("even", "odd"))
    one = Column(np.zeros(len(data), dtype=np.int64), ("same", "other"))
    return replace(data, name="mine", columns={**data.columns, "odd": odd, "constant": one})
"""


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> None:
    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def run() -> Callable[..., Result]:
    """Call `irene` with arguments; each is split at spaces unless it is a path."""

    def call(*arguments: str | Path) -> Result:
        typed: list[str] = []
        for argument in arguments:
            typed += [str(argument)] if isinstance(argument, Path) else argument.split()
        return CliRunner().invoke(irene.main, typed)

    return call


@pytest.fixture(scope="session")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A digit classifier whose bottleneck tells the background's colour: trained on the task alone."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = small_convnet()
    recipe = Recipe(epochs=3, batch_size=128, lr=3e-3)
    fine_tune(
        model, open_data("digits", "train", {}), task="digit", methods={}, layer="classifier:input", recipe=recipe
    )
    path = tmp_path_factory.mktemp("leaky") / "model.safetensors"
    safetensors.torch.save_file(model.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def before(leaky: Path, run: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evidence of an audit of the leaky model."""
    path = tmp_path_factory.mktemp("before") / "before.json"
    result = run("audit", leaky, ROWS, QUICK, "-o", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's file with networks and a data source of their own."""
    path = tmp_path_factory.mktemp("own") / "own.py"
    path.write_text(OWN, encoding="utf-8")
    return path
