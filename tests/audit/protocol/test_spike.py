"""Planted leaks, learning curves, and the passes that they refuse."""

from dataclasses import replace

import numpy as np
import pytest
from leaks import leak
from support.planted import FEW, classes, labels, measured, noise

from audit.data.columns import Quantity
from audit.evidence.findings import Finding, Spike
from audit.evidence.verdict import judge
from audit.protocol.baselines import Baselines
from audit.protocol.bound import certify

LINEAR = replace(FEW, attackers=("logistic",))


def spike(found: Finding, kind: str, planted: float) -> Spike:
    (one,) = [
        one for one in found.measurement.spikes if one.kind == kind and one.planted == pytest.approx(planted, abs=0.01)
    ]
    return one


def test_narrow_features_with_many_rows_give_the_planted_leaks_back_and_pass() -> None:
    found = measured(noise(10_000), classes(labels(10_000)))
    for kind in ("linear", "quadratic"):
        for planted in (0.05, 0.1):
            assert spike(found, kind, planted).share == pytest.approx(1, abs=0.35)
    assert found.decided.verdict == "PASS"


def test_an_attacker_that_sees_no_curve_gives_no_pass() -> None:
    found = measured(noise(10_000), classes(labels(10_000)), settings=LINEAR)
    assert spike(found, "linear", 0.1).share > 0.7
    assert spike(found, "quadratic", 0.1).share < 0.2
    assert found.decided.verdict == "INCONCLUSIVE"
    assert "Of a planted quadratic leak of 10.0 points these attackers read" in found.decided.reason
    assert "or a narrower layer, would settle it" in found.decided.reason


def test_wide_features_with_few_rows_give_no_pass() -> None:
    found = measured(noise(2400, d=200), classes(labels(2400)), settings=replace(FEW, limit=0.08))
    assert found.measurement.excess.high < 0.08
    assert spike(found, "quadratic", 0.16).share < 0.3
    assert found.decided.verdict == "INCONCLUSIVE"


def test_a_leak_that_the_attackers_cannot_see_is_not_passed() -> None:
    sample = leak("quadratic", 3000, 64, 0.1, np.random.default_rng(2))
    found = measured(sample.z.astype(np.float64), classes(sample.v))
    assert found.measurement.score.high < sample.best  # the interval is below the truth
    assert found.decided.verdict == "INCONCLUSIVE"


def test_what_is_planted_leans_on_the_task_label_as_the_attribute_does() -> None:
    v = labels(6000)
    told = np.where(np.random.default_rng(4).random(6000) < 0.8, v, 1 - v)
    found = measured(noise(6000), classes(v), baselines=Baselines(predicted=told))
    assert found.measurement.floor_score.value == pytest.approx(0.8, abs=0.03)
    assert spike(found, "linear", 0.05).planted == pytest.approx(0.05, abs=0.002)
    assert spike(found, "quadratic", 0.1).planted == pytest.approx(0.1, abs=0.002)


def test_more_than_two_classes_and_quantities_are_planted_too() -> None:
    three = measured(noise(4000), classes(labels(4000, k=3)))
    assert spike(three, "linear", 0.1).share == pytest.approx(1, abs=0.4)
    age = measured(noise(4000), Quantity(noise(4000, 1, seed=1)[:, 0]))
    assert spike(age, "linear", 0.1).share == pytest.approx(1, abs=0.3)
    assert spike(age, "quadratic", 0.1).share == pytest.approx(0.9, abs=0.35)


def test_nothing_is_planted_at_a_limit_of_nothing() -> None:
    assert measured(noise(600), classes(labels(600)), settings=replace(FEW, limit=0.0)).measurement.spikes == []


def test_the_curve_of_a_leak_that_takes_many_rows_rises_and_that_of_an_easy_one_is_flat() -> None:
    hard = leak("quadratic", 12_000, 40, 0.12, np.random.default_rng(0))
    easy = leak("linear", 12_000, 4, 0.12, np.random.default_rng(0))
    rising, flat = (measured(one.z.astype(np.float64), classes(one.v)).measurement.curves[0] for one in (hard, easy))
    assert [point.rows for point in rising.points] == pytest.approx([375, 750, 1500, 3000, 6000], abs=5)
    assert rising.points[-1].figure.value > rising.points[0].figure.value + 0.03
    assert rising.gain.value > 0.01
    assert abs(flat.gain.value) < 0.01
    assert flat.points[-1].figure.value == pytest.approx(0.62, abs=0.02)


def test_the_last_point_is_the_attacker_of_the_table() -> None:
    found = measured(noise(2000), classes(labels(2000))).measurement
    for curve in found.curves:
        (own,) = [one for one in found.attackers if f"{one.name} on {one.view}" == curve.attacker]
        assert curve.points[-1].figure == own.figures["balanced_accuracy"]


def test_a_curve_that_still_rises_refuses_a_pass_and_says_how_many_rows_would_settle_it() -> None:
    found = measured(noise(10_000), classes(labels(10_000))).measurement
    curve = found.curves[0]
    rising = curve.model_copy(update={"gain": curve.gain.model_copy(update={"value": 0.04, "low": 0.01, "high": 0.07})})
    decision = judge(found.model_copy(update={"curves": [rising]}), 0.05)
    assert decision.verdict == "INCONCLUSIVE"
    assert "still gained 4.0 points" in decision.reason
    assert "about 40,000 labelled rows in all, or a narrower layer, would settle it" in decision.reason


def test_planted_leaks_beyond_twice_a_limit_say_nothing_of_it() -> None:
    found = measured(noise(10_000), classes(labels(10_000))).measurement
    decision = judge(found, 0.02)
    assert decision.verdict == "INCONCLUSIVE"


def test_beyond_what_was_planted_a_limit_holds_where_the_smaller_leak_was_seen() -> None:
    v = labels(10_000)
    assert judge(measured(noise(10_000), classes(v)).measurement, 0.2).verdict == "PASS"
    decision = judge(measured(noise(10_000), classes(v), settings=LINEAR).measurement, 0.2)
    assert decision.verdict == "INCONCLUSIVE"
    assert "asked for quadratic leaks of 10.0 points at most, and the limit is 20; an audit with" in decision.reason


def test_an_even_draw_of_the_rows_that_fit_changes_no_information() -> None:
    v = labels(12_000, share=0.1)
    z = noise(12_000)
    z[:, 0] += 1.5 * v
    all_rows, drawn = (
        measured(z, classes(v), settings=replace(FEW, fit_rows=most)).measurement for most in (None, 1000)
    )
    (rare,) = [one for one in drawn.classes if one.name == "class 1"]
    assert rare.train == pytest.approx(500, abs=5)
    assert drawn.figures["bits"].value == pytest.approx(all_rows.figures["bits"].value, abs=0.02)


def test_features_without_room_for_a_leak_have_none_planted() -> None:
    v = labels(4000)
    told = np.where(np.random.default_rng(4).random(4000) < 0.7, v, 1 - v)
    found = measured(told[:, None].astype(np.float64), classes(v), baselines=Baselines(predicted=told))
    assert found.measurement.floor_score.value == pytest.approx(0.7, abs=0.03)
    assert found.measurement.spikes == []
    assert found.decided.verdict == "INCONCLUSIVE"  # what nothing can be planted in, a bound has to speak for
    bound = certify(told, v, np.arange(4000))
    assert judge(found.measurement, 0.05, bound).verdict == "PASS"
