"""What chooses an epoch: a fresh audit of rows that did not train, and never at the price of the task."""

import numpy as np
import pytest
import torch

from audit.data.columns import Column
from audit.data.labelled import LabelledData
from sanitizer.methods.base import Rows
from sanitizer.training.model_selection import HeldOutMetrics, check
from sanitizer.training.rows import hold_out


def checked(task: float, leak: float, rows: int = 400) -> HeldOutMetrics:
    return HeldOutMetrics(task, {"v": leak}, {"": rows, "v": rows})


@pytest.mark.parametrize(
    ("one", "other", "better"),
    [
        ((0.90, 0.60), (0.80, 0.50), True),  # a task that is plainly better
        ((0.80, 0.50), (0.90, 0.60), False),
        ((0.89, 0.60), (0.90, 0.70), True),  # as good a task with plainly less leak
        ((0.91, 0.70), (0.90, 0.60), False),
        ((0.91, 0.61), (0.90, 0.60), False),  # all alike
        ((0.89, 0.59), (0.90, 0.60), False),
    ],
)
def test_the_task_comes_first_and_then_the_leak_beyond_their_noise(
    one: tuple[float, float], other: tuple[float, float], better: bool
) -> None:
    assert checked(*one).better_than(checked(*other)) == better


@pytest.mark.parametrize(
    ("kept", "leak", "better"),
    [
        (0.75, 0.60, True),  # plainly more of what is kept, by 16 attributes
        (0.65, 0.60, False),
        (0.705, 0.60, False),  # within the noise
        (0.59, 0.50, False),  # ten points less of the leak, and eleven of what is kept
        (0.66, 0.50, True),
    ],
)
def test_what_is_kept_counts_as_much_as_the_leak(kept: float, leak: float, better: bool) -> None:
    def told(area: float, leak: float) -> HeldOutMetrics:
        names = [f"kept{place}" for place in range(16)]
        return HeldOutMetrics(
            0.9, {"v": leak}, {"": 400, "v": 400, **dict.fromkeys(names, 400)}, dict.fromkeys(names, area)
        )

    assert told(kept, leak).better_than(told(0.70, 0.60)) == better


def test_a_probe_reads_what_is_kept() -> None:
    seen, data = rows(0.0)
    told = (seen.z[:, 1] + 0.5 * seen.z[:, 2] > 1.5).long()
    seen = Rows(seen.before, seen.z, seen.scores, seen.y, {**seen.v, "kept": told, "lost": torch.arange(600) % 2})
    found = check(seen, data, ["v"], ["kept", "lost"], seed=0)
    assert found.retained["kept"] > 0.95
    assert abs(found.retained["lost"] - 0.5) < 0.06
    assert check(seen, data, ["v"], seed=0).retained == {}


def test_a_rare_class_tells_less_than_so_many_rows() -> None:
    def told(share: float) -> float:
        seen, data = rows(0.0)
        v = (np.arange(600) < 600 * share).astype(np.int64)
        labels = {"v": torch.from_numpy(v)}
        data = LabelledData("toy", data.inputs, {"v": Column(v, ("a", "b"))})
        return check(Rows(seen.before, seen.z, seen.scores, seen.y, labels), data, ["v"], seed=0).rows["v"]

    assert told(0.5) == pytest.approx(600)
    assert told(0.05) == pytest.approx(4 / (1 / 30 + 1 / 570))  # 114


def rows(leak: float, n: int = 600) -> tuple[Rows, LabelledData]:
    generator = np.random.default_rng(0)
    v, y = generator.integers(2, size=(2, n))
    z = generator.normal(size=(n, 6)).astype(np.float32)
    z[:, 0] = np.where(v == 1, z[:, 0] * (1 + leak), z[:, 0])  # in the variance: no line reads it
    scores = torch.nn.functional.one_hot(torch.from_numpy(y), 2).float()
    data = LabelledData("toy", torch.from_numpy(z), {"v": Column(v, ("a", "b"))})
    features = torch.from_numpy(z)
    return Rows(features, features, scores, torch.from_numpy(y), {"v": torch.from_numpy(v)}), data


def test_the_quick_audit_finds_a_leak_that_no_line_reads_and_none_where_there_is_none() -> None:
    found = check(*rows(leak=9.0), ["v"], seed=0)
    assert found.fresh["v"] > 0.75
    assert found.task == 1.0
    assert check(*rows(leak=0.0), ["v"], seed=0).fresh["v"] < 0.56


def test_rows_that_are_held_out_share_no_group_with_those_that_train() -> None:
    _, data = rows(0.0)
    people = LabelledData("toy", data.inputs, data.columns, np.arange(600) // 4, "person")
    fit, held_out = hold_out(people, seed=0)
    assert fit.group is not None and held_out.group is not None
    assert not set(fit.group) & set(held_out.group)
    assert len(held_out) == pytest.approx(90, abs=4)
