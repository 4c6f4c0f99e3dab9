"""What a run says that it did: how many words a code has, and whose rows they are means of."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from support.people import WIDTH
from torch import nn

from audit.data.labelled import LabelledData, labelled
from audit.model.checkpoint import load
from sanitizer.options import SanitizeOptions
from sanitizer.run import sanitize


def build() -> nn.Sequential:
    """Build a model whose bottleneck is its inputs."""
    return nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2))


def people(count: int) -> LabelledData:
    """Return rows of so many people, 600 in all, whose first number tells the task and whose second is private."""
    generator, person = np.random.default_rng(0), np.arange(600) % count
    z = generator.normal(size=(count, WIDTH))[person] + generator.normal(size=(600, WIDTH))
    columns = {"y": (z[:, 0] > 0).astype(int).tolist(), "v": (person % 2).tolist()}
    return labelled(torch.from_numpy(z.astype(np.float32)), columns, group=person.tolist(), group_name="person")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Write a model that knows its task."""
    model = build()
    with torch.no_grad():
        first, last = (layer for layer in model if isinstance(layer, nn.Linear))
        nn.init.eye_(first.weight)
        last.weight.copy_(torch.stack([-torch.eye(WIDTH)[0], torch.eye(WIDTH)[0]]))
    torch.save(model.state_dict(), tmp_path / "model.pt")
    return tmp_path / "model.pt"


@pytest.mark.parametrize("method", ["pairs", "codebook"])
def test_a_record_says_whose_rows_the_words_are_means_of(method: str, weights: Path, tmp_path: Path) -> None:
    notes = {}
    for count in (11, 200):
        loaded = load(weights, f"{__name__}:build")
        options = SanitizeOptions(layer="1:input", epochs=1, batch_size=100)
        done = sanitize(
            loaded, people(count), tmp_path / f"{count}.pt", task="y", private="v", method=method, options=options
        )
        notes[count] = [one for one in done.notes if "word" in one]
    assert notes[11] == [
        "There are 9 groups (person) alone, so each predicted class has one word, the mean of all of them: it may tell "
        "of one"
    ]
    of_many = r"[0-9]+ words pass, of 64 at most: each is a mean over 10 groups \(person\) or more, and each private "
    told = [re.match(of_many, one) for one in notes[200]]
    assert len(told) == (method == "pairs") and all(told)
