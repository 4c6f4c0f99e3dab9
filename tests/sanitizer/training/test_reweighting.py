"""Rows drawn as if the task and the private attributes were independent, and what a model learns from them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from sklearn.metrics import mutual_info_score
from torch import nn

from audit.data.columns import Column, Ints
from audit.data.labelled import LabelledData
from audit.errors import DataError
from sanitizer.job import Recipe, TrainingJob
from sanitizer.methods.base import Method
from sanitizer.methods.codebook import Codebook
from sanitizer.methods.plain import Plain
from sanitizer.training.loop import fine_tune
from sanitizer.training.reweighting import (
    draw,
    effective_share,
    independence_probabilities,
    require_every_cell,
    take_drawn,
)

N, AGREE = 3000, 0.95


def made(agree: float, seed: int) -> LabelledData:
    """Draw rows of 6 numbers: v is plain to see in one of them, the task only beneath noise in two others."""
    generator = np.random.default_rng(seed)
    y = generator.integers(2, size=N)
    v = np.where(generator.random(N) < agree, y, 1 - y)
    w = generator.integers(3, size=N)
    x = generator.standard_normal((N, 6)).astype(np.float32)
    x[:, 0] = 2 * v - 1 + 0.1 * x[:, 0]
    x[:, 1:3] += 0.6 * (2 * y - 1)[:, None]
    columns = {name: Column(codes, tuple("abc"[: codes.max() + 1])) for name, codes in {"y": y, "v": v, "w": w}.items()}
    return LabelledData("accident", torch.from_numpy(x), columns)


def together(data: LabelledData, rows: Ints, *names: str) -> float:
    """Return the information that the first column has on the others, in nats."""
    others = np.unique(np.stack([data.codes(name)[rows] for name in names[1:]]), axis=1, return_inverse=True)[1]
    return float(mutual_info_score(data.codes(names[0])[rows], others.reshape(-1)))


@pytest.mark.parametrize("private", [["v"], ["v", "w"]])
def test_in_rows_that_are_drawn_the_task_says_nothing_of_the_attributes(private: list[str]) -> None:
    data = made(AGREE, 0)
    rows = draw(independence_probabilities(data, "y", private), seed=0)
    assert together(data, np.arange(N), "y", *private) > 0.4
    assert together(data, rows, "y", *private) < 0.005
    for name in ("y", "v", "w"):  # each by itself is as common as it was
        before, after = (np.bincount(data.codes(name)[part]) / N for part in (np.arange(N), rows))
        assert np.allclose(before, after, atol=0.04)


def test_every_turn_draws_other_rows_and_a_seed_the_same() -> None:
    chances = independence_probabilities(made(AGREE, 0), "y", ["v"])
    one, again, other = draw(chances, seed=1, turn=1), draw(chances, seed=1, turn=1), draw(chances, seed=1, turn=2)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_row_that_is_drawn_twice_is_one_group_and_tells_less() -> None:
    data = made(AGREE, 0)
    chances = independence_probabilities(data, "y", ["v"])
    rows = draw(chances, seed=0)
    groups = take_drawn(data, rows).groups()
    assert len(np.unique(groups)) == len(np.unique(rows)) < 0.7 * N
    assert all(len(np.unique(rows[groups == group])) == 1 for group in groups[:50])
    assert effective_share(np.full(N, 1 / N)) == pytest.approx(1)
    assert effective_share(chances) == pytest.approx(
        4 * AGREE * (1 - AGREE), abs=0.03
    )  # one in twenty stands for a half


def test_a_class_that_never_meets_another_is_told() -> None:
    data = made(AGREE, 0)
    rows = np.flatnonzero((data.codes("y") == 0) | (data.codes("v") == 1))
    with pytest.raises(
        DataError, match="No training row has v 'a' and y 'b', so no drawing makes 'y' independent of v"
    ):
        require_every_cell(data.take(rows), "y", ["v"])
    with pytest.raises(DataError, match="leave --reweigh out"):
        fine_tune(
            net(),
            TrainingJob(data.take(rows), task="y", private=["v"], layer="2:input", recipe=Recipe(1, 100, reweigh=True)),
        )
    require_every_cell(data, "y", ["v", "w"])


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))


def tuned(method: Method, **recipe: Any) -> nn.Module:
    """Return a network trained on rows in which v and the task go together."""
    model = net()
    asked = Recipe(8, 100, lr=1e-2, **recipe)
    fine_tune(model, TrainingJob(made(AGREE, 0), task="y", private=["v"], layer="2:input", method=method, recipe=asked))
    return model.eval()


def said(model: nn.Module) -> tuple[float, float]:
    """Return how often the answers are the task's, and how often v's, on rows where the two are independent."""
    data = made(0.5, 1)
    with torch.no_grad():
        answers = model(data.inputs).argmax(dim=1).numpy()
    return float((answers == data.codes("y")).mean()), float((answers == data.codes("v")).mean())


@pytest.mark.parametrize("method", [Plain(), Codebook()])
def test_a_model_no_longer_answers_its_task_by_what_went_with_it(method: Method) -> None:
    as_they_are, reweighing = said(tuned(method)), said(tuned(method, reweigh=True))
    assert as_they_are[1] > 0.75  # it had learned v
    assert reweighing[0] > as_they_are[0] + 0.07
    assert abs(reweighing[1] - 0.5) < 0.06


def test_rows_that_are_independent_already_are_drawn_alike() -> None:
    data = made(0.5, 0)
    chances = independence_probabilities(data, "y", ["v"])
    assert np.ptp(chances) * N < 0.2


def test_the_command_tells_of_what_goes_together_and_reweighs_when_told_to(
    leaky: Path, run: Callable[..., Result], tmp_path: Path
) -> None:
    asked = "--arch small-convnet --data digits --task digit --private colour --limit-rows 2600 --epochs 1 --lr 0.01"
    by_chance = run("sanitize", leaky, asked, "--data-arg rho=0.1 -o", tmp_path / "a.safetensors")
    told = run("sanitize", leaky, asked, "--data-arg rho=0.7 -o", tmp_path / "b.safetensors")
    reweighing = run("sanitize", leaky, asked, "--data-arg rho=0.7 --reweigh -o", tmp_path / "c.safetensors")
    for done in (by_chance, told, reweighing):
        assert done.exit_code == 0, done.output
    assert "in common in these rows" not in by_chance.output + reweighing.output
    assert "If that is an accident of how the rows were collected, --reweigh" in told.output
    record = json.loads((tmp_path / "c.safetensors.json").read_text())
    assert record["sanitizing"]["settings"]["reweigh"] is True
