"""Rows of people without a task: an encoder of them, and vectors of which the first number tells a class."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from audit.data.labelled import LabelledData, labelled
from audit.model.checkpoint import LoadedModel, load

PEOPLE, EACH, WIDTH = 480, 3, 12


class Encoder(nn.Module):
    """Returns vectors of length one, made by no module of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(WIDTH, 24), nn.Linear(24, 8)

    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(self.last(torch.relu(self.first(x))), dim=1)


def vectors(people: int = PEOPLE) -> tuple[NDArray[np.float32], dict[str, NDArray[np.str_]]]:
    """Return rows around a place of each person, (n, WIDTH), and their columns."""
    generator, person = np.random.default_rng(0), np.repeat(np.arange(people), EACH)
    v = person % 2
    z = generator.normal(size=(people, WIDTH))[person] + 0.4 * generator.normal(size=(len(person), WIDTH))
    z[:, 0] += 3 * v
    names = np.array([f"zqperson{one}" for one in person])
    return z.astype(np.float32), {"person": names, "v": np.where(v, "f", "m")}


def rows(part: int) -> LabelledData:
    """Return one half of the people, as model inputs."""
    z, columns = vectors()
    own = np.arange(len(z)) // EACH % 4 // 2 == part
    given = {name: values[own] for name, values in columns.items()}
    return labelled(torch.from_numpy(z[own]), given, group=given["person"], group_name="person")


def checkpoint(folder: Path) -> Path:
    """Write an untrained encoder, which keeps most of its inputs."""
    torch.manual_seed(0)
    torch.save(Encoder().state_dict(), folder / "encoder.pt")
    return folder / "encoder.pt"


def loaded(path: Path) -> LoadedModel:
    """Load an encoder."""
    return load(path, "support.people:Encoder")
