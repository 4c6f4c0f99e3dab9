"""The change between two audits: noise that both share drops out of its interval, and none is lost."""

import numpy as np
import pytest
from support.findings import around, leakage, remeasured

from audit.bootstrap import draws, estimate, resample
from audit.evidence.findings import Draws, Estimate
from reports.inputs.paired_difference import changed, figure_change


def figure(right: np.ndarray, seed: int = 0) -> tuple[Estimate, Draws]:
    """Return the accuracy of each row being right or not, as an audit of these rows gives it."""
    means = resample(np.arange(len(right)), times=1000, seed=seed, key=b"").means(right)
    return estimate(means), draws(means)


def correlated(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two attackers that are mostly right on the same rows: .7 and .65 of all rows in the long run."""
    generator = np.random.default_rng(seed)
    before = generator.random(n) < 0.7
    after = np.where(generator.random(n) < 0.1, generator.random(n) < 0.2, before)
    return before, after


def test_rows_that_both_read_alike_do_not_widen_the_change() -> None:
    before, after = (figure(right) for right in correlated(1000, 0))
    paired = changed(before[0], after[0], before[1], after[1])
    alone = changed(before[0], after[0], [], [])
    assert paired.paired and not alone.paired
    assert paired.estimate.value == alone.estimate.value == after[0].value - before[0].value
    widths = [one.estimate.high - one.estimate.low for one in (paired, alone)]
    assert widths[0] < 0.6 * widths[1]


@pytest.mark.slow
def test_the_interval_holds_the_true_change_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(200):
        before, after = (figure(right, seed) for right in correlated(400, seed))
        found = changed(before[0], after[0], before[1], after[1]).estimate
        held += found.low <= -0.05 <= found.high
    assert 180 <= held <= 199


def test_no_change_at_all_has_an_interval_around_nothing() -> None:
    before, _ = correlated(500, 1)
    one, drawn = figure(before)
    found = changed(one, one, drawn, drawn)
    assert found.estimate.value == 0
    assert found.estimate.low < 0 < found.estimate.high, "no width would claim that the two are exactly alike"


def test_the_same_answers_differ_by_three_rows_at_most() -> None:
    before, _ = correlated(500, 1)
    drawn = figure(before)[1]
    twice = remeasured(leakage(read=0.6), draws={"balanced_accuracy": drawn, "excess": drawn}).measurement
    for name in ("balanced_accuracy", "excess"):
        found = figure_change(twice, twice, name)
        assert found.paired
        assert found.estimate.high == -found.estimate.low == pytest.approx(3 / 500, rel=0.3)


@pytest.mark.parametrize(("drawn", "drawn_after"), [([], []), ([0.5], [0.5, 0.6]), ([None, None], [0.1, 0.2])])
def test_evidence_without_draws_is_compared_as_if_independent(drawn: Draws, drawn_after: Draws) -> None:
    found = changed(around(0.6), around(0.5), drawn, drawn_after)
    assert not found.paired
    assert found.estimate.value == pytest.approx(-0.1)
    assert found.estimate.low == pytest.approx(-0.1 - 0.02 * 2**0.5)


def test_each_figure_is_paired_with_its_own_draws() -> None:
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.01, 1000)
    drawn = {"balanced_accuracy": list(0.6 + noise), "excess": list(0.5 + noise)}
    later = {"balanced_accuracy": list(0.4 + noise + generator.normal(0, 0.001, 1000)), "excess": list(0.3 - noise)}
    before = remeasured(leakage(read=0.6), draws=drawn).measurement
    after = remeasured(leakage(read=0.4), draws=later).measurement
    read, over = (figure_change(before, after, name) for name in ("balanced_accuracy", "excess"))
    assert read.paired and over.paired
    assert read.estimate.high - read.estimate.low < 0.01
    assert over.estimate.high - over.estimate.low > 0.06
