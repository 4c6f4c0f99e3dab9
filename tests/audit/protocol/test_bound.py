"""The bound on every attacker: it holds, it is not idle, and it is only there where a code is finite."""

import numpy as np
import pytest
from scipy.stats import beta

from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.evidence.findings import MOST_CODES
from audit.protocol.bound import cells, certify


def drawn(p: Doubles, n: int, seed: int) -> tuple[Ints, Ints]:
    """Draw codes and classes of n rows; p is that of each code given the class, (k, K)."""
    generator = np.random.default_rng(seed)
    v = np.arange(n) % len(p)
    code = (generator.random(n)[:, None] > p.cumsum(axis=1)[v, :-1]).sum(axis=1)
    return np.unique(code, return_inverse=True)[1].astype(np.int64), v


def leaky(k: int, words: int, strength: float, seed: int) -> Doubles:
    generator = np.random.default_rng(seed)
    p = generator.dirichlet(np.ones(words), size=1) * np.exp(strength * generator.normal(size=(k, words)))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(("k", "words", "n", "strength"), [(2, 4, 400, 0.3), (2, 20, 1000, 0.0), (5, 10, 1000, 0.5)])
def test_the_bounds_are_violated_in_at_most_five_percent_of_200_draws(
    k: int, words: int, n: int, strength: float
) -> None:
    low, fewer = 0, 0
    for seed in range(200):
        p = leaky(k, words, strength, seed)
        best = p.max(axis=0).sum() / k  # of the attacker who knows p
        told = (p / k * np.log2(p / p.mean(axis=0))).sum()
        found = certify(*drawn(p, n, seed), np.arange(n))
        low += found.balanced_accuracy < best
        fewer += found.bits < told
    assert low <= 10
    assert fewer <= 10


def test_many_rows_of_few_words_bound_closely() -> None:
    p = np.array([[0.5, 0.5], [0.4, 0.6]])
    found = certify(*drawn(p, 20_000, 0), np.arange(20_000))
    assert 0.55 < found.balanced_accuracy < 0.57
    assert 0.007 < found.bits < 0.03


def test_the_bound_is_closer_than_one_of_each_cell_by_itself() -> None:
    code, v = drawn(leaky(2, 8, 0.3, 0), 2000, 0)
    counts = np.array([np.bincount(code[v == label], minlength=8) for label in range(2)])
    cells = np.asarray(
        beta.ppf(1 - 0.05 / counts.size, counts + 1, 1000 - counts)
    )  # Clopper and Pearson, with a union bound
    assert certify(code, v, np.arange(2000)).balanced_accuracy < cells.max(axis=0).sum() / 2


def test_a_code_that_tells_all_is_bounded_by_all_there_is() -> None:
    v = np.arange(1000) % 2
    found = certify(v, v, np.arange(1000))
    assert found.balanced_accuracy == 1
    assert found.bits == 1


def test_rows_of_one_group_count_as_copies() -> None:
    code, v = drawn(np.array([[0.5, 0.5], [0.4, 0.6]]), 1000, 0)
    alone, together = certify(code, v, np.arange(1000)), certify(code, v, np.arange(1000) // 20)
    assert together.balanced_accuracy > alone.balanced_accuracy + 0.05
    assert together.independent == pytest.approx([50, 50])
    assert alone.independent == pytest.approx([500, 500])


def test_cells_are_the_distinct_vectors() -> None:
    words = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    said = np.array([0, 1, 1, 2, 0, 0, 1, 2, 2, 1, 0, 0])
    assert np.array_equal(cells(words[said]), said)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [30, 4 * MOST_CODES + 8])
def test_features_that_are_no_finite_code_have_no_cells(n: int) -> None:
    assert cells(np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)) is None
