"""The peers of the benchmark: each removes what its paper says it removes, by a function of the features alone."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

from erasers import Eraser, Floats, Ints, Seen, inlp, kmeans_code, leace
from mance import mance
from obliviator import obliviator

ERASERS: dict[str, Callable[[Seen], Eraser]] = {
    "leace": leace,
    "kmeans-code": lambda fit: kmeans_code(fit, words=16),
    "inlp": inlp,
    "obliviator": lambda fit: obliviator(fit, iterations=5, features=300, hidden=64),
    "mance": lambda fit: mance(fit, steps=16, passes=100, hidden=64),
}


def planted(n: int = 2000, *, seed: int) -> Seen:
    """Return rows in which v stands in one direction, twice in the sign of a product, and y in another direction."""
    draw = np.random.default_rng(seed)
    v, y = draw.integers(0, 2, n), draw.integers(0, 2, n)
    z = draw.normal(size=(n, 12))
    z[:, 0] += 2 * v
    for pair in (1, 3):
        z[:, pair + 1] = np.abs(z[:, pair + 1]) * np.sign(z[:, pair]) * (2 * v - 1)
    z[:, 5] += 4 * y
    return Seen(z.astype(np.float32), v, y)


@pytest.fixture(scope="module")
def erased() -> dict[str, Floats]:
    """What every eraser leaves of rows that it was not fitted on."""
    fit, rows = planted(seed=0), planted(seed=1).z
    rows.setflags(write=False)
    return {name: eraser(fit)(rows) for name, eraser in ERASERS.items()}


def read(kind: LogisticRegression | SVC, z: Floats, truth: Ints) -> float:
    """Return the balanced accuracy on every other row of an attacker that learns from the rest."""
    fitted = make_pipeline(StandardScaler(), kind).fit(z[::2], truth[::2])
    return float(balanced_accuracy_score(truth[1::2], fitted.predict(z[1::2])))


def test_every_eraser_takes_rows_that_it_has_not_seen(erased: dict[str, Floats]) -> None:
    for name, z in erased.items():
        assert z.dtype == np.float32 and len(z) == 2000 and np.isfinite(z).all(), name


@pytest.mark.parametrize("name", ["leace", "inlp", "obliviator"])
def test_a_linear_attacker_is_at_chance_afterwards_and_was_not_before(name: str, erased: dict[str, Floats]) -> None:
    rows = planted(seed=1)
    assert read(LogisticRegression(), rows.z, rows.v) > 0.8
    assert read(LogisticRegression(), erased[name], rows.v) < 0.6


@pytest.mark.parametrize("name", ["obliviator", "mance"])
def test_less_is_left_to_a_kernel_than_by_leace(name: str, erased: dict[str, Floats]) -> None:
    v = planted(seed=1).v
    assert read(SVC(), erased["leace"], v) > 0.85
    assert read(SVC(), erased[name], v) < read(SVC(), erased["leace"], v) - 0.05


@pytest.mark.parametrize("name", ["leace", "inlp", "obliviator", "mance"])
def test_the_task_stays(name: str, erased: dict[str, Floats]) -> None:
    assert read(SVC(), erased[name], planted(seed=1).y) > 0.9


def test_an_untrained_code_has_at_most_its_words(erased: dict[str, Floats]) -> None:
    assert 1 < len(np.unique(erased["kmeans-code"], axis=0)) <= 16


def test_inlp_leaves_features_that_know_nothing_as_they_are() -> None:
    rows = planted(seed=0)
    noise = Seen(rows.z, np.random.default_rng(3).permutation(rows.v), rows.y)
    np.testing.assert_allclose(inlp(noise)(rows.z), rows.z)


def test_more_than_two_classes_can_be_removed() -> None:
    draw = np.random.default_rng(0)
    v = draw.integers(0, 3, 600)
    z = (draw.normal(size=(600, 8)) + 3 * np.eye(8)[v]).astype(np.float32)
    for name, eraser in ERASERS.items():
        left = eraser(Seen(z[::2], v[::2], v[::2] % 2))(z[1::2])
        assert read(LogisticRegression(), left, v[1::2]) < read(LogisticRegression(), z[1::2], v[1::2]), name
