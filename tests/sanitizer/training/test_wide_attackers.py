"""The audit that chooses the epoch reads of a wide layer what a full audit of the same rows reads."""

import time
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.planted import labels, noise

from audit.data.columns import Ints
from audit.data.labelled import labelled
from audit.run import audit_embeddings
from audit.settings import Settings
from sanitizer.methods.base import Rows
from sanitizer.methods.width import left
from sanitizer.training.model_selection import HeldOutMetrics, check

D = 4096


def dense(n: int, seed: int, leak: float, d: int = D, nuisance: int = 62) -> tuple[NDArray[np.float32], Ints]:
    """Draw features, (n, d): a few large directions that know nothing, and a leak spread over all features."""
    draw, fixed = np.random.default_rng(seed), np.random.default_rng(99)
    v = draw.integers(0, 2, n)
    large = np.linalg.qr(fixed.normal(size=(d, nuisance)))[0].T
    told = fixed.normal(size=d)
    told -= large.T @ (large @ told)
    z = 10 * draw.normal(size=(n, nuisance)) @ large + 0.3 * draw.normal(size=(n, d))
    return (z + np.outer(2 * v - 1, leak * told / np.linalg.norm(told))).astype(np.float32), v.astype(np.int64)


def quick(z: NDArray[np.float32], v: Ints, keep: tuple[str, ...] = ()) -> HeldOutMetrics:
    features, labels = torch.tensor(z), torch.tensor(v)
    seen = Rows(features, features, torch.nn.functional.one_hot(labels).float(), labels, {"v": labels, "w": labels})
    return check(seen, labelled(features, {"v": v, "w": v}), ["v"], keep, seed=0)


def full(z: NDArray[np.float32], v: Ints) -> float:
    settings = Settings(attackers=("logistic", "rbf-svm"), ceiling=False, bootstrap=50, null_refits=2)
    result = audit_embeddings({"z": z}, labelled(torch.tensor(z), {"v": v}), private="v", settings=settings)
    return result.findings[0].measurement.score.value


@pytest.mark.slow
@pytest.mark.parametrize(("n", "leak"), [(250, 2.2), (400, 2.0)])
def test_a_dense_leak_of_a_wide_layer_is_read_as_by_an_audit_of_the_same_rows(n: int, leak: float) -> None:
    drawn = [dense(n, seed, leak, nuisance=n // 4) for seed in range(3)]
    read, audited = (
        float(np.mean([how(z, v) for z, v in drawn])) for how in (lambda z, v: quick(z, v).fresh["v"], full)
    )
    assert audited > 0.7, "there is something to read"
    assert read > audited - 0.03


def test_a_leak_that_is_no_line_is_read_too() -> None:
    draw = np.random.default_rng(0)
    v = draw.integers(0, 2, 400).astype(np.int64)
    z = draw.normal(size=(400, 600)).astype(np.float32) * np.where(v, 1.3, 1.0)[:, None].astype(np.float32)
    assert quick(z, v).fresh["v"] > 0.9


@pytest.mark.parametrize("d", [600, D])
def test_features_that_know_nothing_read_little(d: int) -> None:
    read = [quick(*dense(300, seed, 0.0, d)).fresh["v"] for seed in range(3)]
    assert 0.45 < float(np.mean(read)) < 0.57


def test_what_is_to_be_retained_in_a_wide_layer_is_seen() -> None:
    assert quick(*dense(250, 0, 2.5), keep=("w",)).retained["w"] > 0.9


def test_too_few_rows_of_a_class_read_as_a_guess() -> None:
    z, _ = dense(20, 0, 2.0)
    v = np.zeros(20, dtype=np.int64)
    v[0] = 1
    assert quick(z, v).fresh["v"] == 0.5


def test_a_narrow_layer_costs_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of what is for wide layers runs."""

    def fail(*_: Any) -> None:
        raise AssertionError("a narrow layer")

    monkeypatch.setattr("sanitizer.training.wide_attackers.scores", fail)
    z, v = dense(250, 0, 2.0, d=512)
    begin = time.process_time()
    assert quick(z, v).fresh["v"] >= 0.4
    assert time.process_time() - begin < 60


@pytest.mark.parametrize("d", [4, 600])
def test_one_broken_row_hides_nothing_from_them(d: int) -> None:
    z, v = noise(300, d).astype(np.float32), labels(300)
    z += (2 if d == 4 else 5) * v[:, None] / np.float32(np.sqrt(d))
    whole = quick(z, v).fresh["v"]
    z[5] = 1e12
    assert quick(z, v).fresh["v"] > whole - 0.03 > 0.7
    if d == 4:
        assert left(z.astype(np.float64), np.zeros(len(v), dtype=np.int64), v, np.arange(len(v))) > 0.2
