"""Attackers of all rows: products of features, and a perceptron in minibatches."""

import numpy as np
import pytest
import torch
from leaks import leak
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from audit.attackers import network
from audit.attackers.network import NetworkClassifier, NetworkRegressor
from audit.attackers.products import ProductsClassifier, ProductsRegressor
from audit.data.on_disk import filed
from audit.parallel.side_by_side import side_by_side


def read(attacker: object, kind: str, n: int, d: int, excess: float = 0.1) -> float:
    """Fit on the first half, and return the balanced accuracy on the second."""
    sample = leak(kind, 2 * n, d, excess, np.random.default_rng(5))
    attacker.fit(sample.z[:n], sample.v[:n])  # type: ignore[attr-defined]
    return float(balanced_accuracy_score(sample.v[n:], attacker.predict(sample.z[n:])))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "least"), [("linear", 0.58), ("quadratic", 0.57), ("product of three", 0.57), ("nothing", 0.0)]
)
def test_products_read_what_is_spread_over_all_features(kind: str, least: float) -> None:
    found = read(ProductsClassifier(), kind, 10_000, 12)
    assert found > least
    assert found < (0.53 if kind == "nothing" else 0.62)


def test_a_linear_attacker_sees_nothing_of_what_products_read() -> None:
    assert read(LogisticRegression(), "quadratic", 10_000, 12) < 0.53


def test_products_of_three_classes_give_each_its_chance() -> None:
    generator = np.random.default_rng(0)
    z = generator.normal(size=(6000, 5)).astype(np.float32)
    v = np.digitize(z[:, 0] * z[:, 1] + 0.3 * generator.normal(size=6000), [-0.4, 0.4])
    attacker = ProductsClassifier().fit(z[:4000], v[:4000])
    chances = attacker.predict_proba(z[4000:])
    assert chances.shape == (2000, 3)
    assert chances.sum(axis=1) == pytest.approx(np.ones(2000))
    assert balanced_accuracy_score(v[4000:], attacker.predict(z[4000:])) > 0.7


def test_products_explain_a_quantity() -> None:
    generator = np.random.default_rng(0)
    z = generator.normal(size=(4000, 6)).astype(np.float32)
    a = 50 + 10 * (z[:, 0] * z[:, 1] + z[:, 2]) + generator.normal(size=4000)
    answered = ProductsRegressor().fit(z[:3000], a[:3000]).predict(z[3000:])
    assert 1 - ((a[3000:] - answered) ** 2).mean() / a[3000:].var() > 0.8


@pytest.mark.parametrize("kind", ["linear", "quadratic", "a few rows for certain"])
def test_a_perceptron_reads_too(kind: str) -> None:
    assert read(NetworkClassifier(), kind, 6000, 8) > 0.56


def test_a_perceptron_learns_from_a_file_what_it_learns_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    z = np.random.default_rng(0).normal(size=(1500, 4)).astype(np.float32)
    v = (z[:, 0] > 0).astype(np.int64)
    held = NetworkClassifier(hidden=(16,)).fit(z, v).predict_proba(z)
    monkeypatch.setattr(network, "HELD", 0)
    for read in (1, 3000, 10**9):  # numbers at once: a step's, a few steps', all
        monkeypatch.setattr(network, "READ", read)
        assert np.array_equal(NetworkClassifier(hidden=(16,)).fit(filed([z], len(z)), v).predict_proba(z), held)


def test_a_perceptron_explains_a_quantity() -> None:
    z = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
    answered = NetworkRegressor(hidden=(32,)).fit(z[:2000], np.abs(z[:2000, 0])).predict(z[2000:])
    assert np.corrcoef(answered, np.abs(z[2000:, 0]))[0, 1] > 0.9


def test_perceptrons_side_by_side_are_those_that_stand_alone_and_draw_nothing_from_others() -> None:
    z, v = np.random.default_rng(0).normal(size=(600, 4)).astype(np.float32), np.arange(600) % 2
    torch.manual_seed(1)
    before = torch.get_rng_state()

    def answers(seed: int) -> list[float]:
        said: list[float] = NetworkClassifier(hidden=(8,), random_state=seed).fit(z, v).predict_proba(z)[:, 1].tolist()
        return said

    together = side_by_side(answers, range(4))
    assert together == [answers(seed) for seed in range(4)]
    assert together[0] != together[1]
    assert torch.equal(torch.get_rng_state(), before)


def test_rows_that_do_not_fit_in_memory_are_read_as_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    z, v = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32), np.arange(500) % 2
    held = NetworkClassifier(hidden=(4,)).fit(z, v).predict_proba(z)
    monkeypatch.setattr(network, "HELD", 0)
    np.testing.assert_allclose(NetworkClassifier(hidden=(4,)).fit(z, v).predict_proba(z), held, atol=1e-6)
