"""The verdict is on the interval of the excess, and on what the rows can tell."""

import pytest
from support.findings import certified, leakage, powered
from support.gates import founded

from audit.evidence.findings import Estimate
from audit.evidence.metric import METRICS
from audit.evidence.verdict import by_interval, held_for, judge


@pytest.mark.parametrize(
    ("low", "value", "high", "resolution", "verdict"),
    [
        (0.10, 0.12, 0.14, 0.02, "FAIL"),
        (-0.02, 0.01, 0.03, 0.02, "PASS"),
        (-0.02, 0.01, 0.05, 0.05, "PASS"),  # the limit itself passes
        (0.02, 0.04, 0.06, 0.02, "INCONCLUSIVE"),
        (0.05, 0.07, 0.09, 0.02, "INCONCLUSIVE"),
        (0.0, 0.0, 0.0, 0.20, "INCONCLUSIVE"),  # too few rows to see a leak: an attacker that answers a constant
    ],
)
def test_the_verdict_is_on_the_interval_and_on_what_the_rows_can_tell(
    low: float, value: float, high: float, resolution: float, verdict: str
) -> None:
    given, reason = by_interval(
        Estimate(value=value, low=low, high=high), resolution, 0.05, 1000, METRICS["balanced_accuracy"]
    )
    assert given == verdict
    assert reason.endswith(".")
    assert (verdict == "INCONCLUSIVE") == ("labelled rows in all would settle it" in reason)


def test_an_open_verdict_says_how_many_rows_would_settle_it() -> None:
    # twice too wide for the room that is left, so four times the rows
    _, reason = by_interval(Estimate(value=0.03, low=-0.01, high=0.07), 0.02, 0.05, 1000, METRICS["balanced_accuracy"])
    assert "about 4,000 labelled rows in all" in reason
    _, reason = by_interval(Estimate(value=0.05, low=0.01, high=0.09), 0.02, 0.05, 1000, METRICS["balanced_accuracy"])
    assert "many more labelled rows" in reason
    _, reason = by_interval(Estimate(value=0.0, low=0.0, high=0.0), 0.1, 0.05, 1000, METRICS["balanced_accuracy"])
    assert "about 4,000 labelled rows in all" in reason


def test_rows_that_leave_it_open_are_never_called_enough() -> None:
    # an interval that goes further down than up: its half-width alone would say that fewer rows do
    lopsided = Estimate(value=0.21, low=0.047, high=0.35)
    for held in (None, 250):
        _, reason = by_interval(lopsided, 0.11, 0.05, 250, METRICS["balanced_accuracy"], held)
        assert "about 300 labelled rows in all would settle it" in reason


def test_a_limit_of_nothing_never_passes_and_is_told_so() -> None:
    verdict, reason = by_interval(
        Estimate(value=-0.01, low=-0.02, high=0.0), 0.02, 0.0, 1000, METRICS["balanced_accuracy"]
    )
    assert verdict == "INCONCLUSIVE"
    assert "a larger limit would settle it" in reason


def test_a_limit_finer_than_any_rows_could_tell_names_no_number_of_rows() -> None:
    _, reason = by_interval(
        Estimate(value=-0.01, low=-0.02, high=0.0), 0.02, 1e-228, 1000, METRICS["balanced_accuracy"]
    )
    assert "a larger limit would settle it" in reason


def test_a_share_of_a_variance_is_told_in_its_own_unit() -> None:
    for low in (0.1, -0.1, -0.3):
        _, reason = by_interval(Estimate(value=low + 0.05, low=low, high=low + 0.1), 0.02, 0.05, 1000, METRICS["r2"])
        assert reason.count("points") == reason.count("points of R²") > 0


@pytest.mark.parametrize("weak", [{"gain": 0.03}, {"quadratic": 0.05}])
def test_a_bound_on_every_attacker_within_the_limit_passes_however_able_those_were_that_tried(
    weak: dict[str, float],
) -> None:
    found = powered(founded(leakage(read=0.12, verdict="PASS")), **weak)
    measurement = found.measurement
    assert measurement.floor_score.low < measurement.floor_score.value - 0.001
    allowed = measurement.floor_score.low + 0.05  # the floor as measured may be too high
    assert judge(measurement, 0.05).verdict == "INCONCLUSIVE"
    assert judge(measurement, 0.05, certified(found, most=allowed + 0.001).certificate).verdict == "INCONCLUSIVE"
    bound = certified(found, most=allowed - 0.01)
    decision = judge(measurement, 0.05, bound.certificate)
    assert decision.verdict == "PASS"
    assert held_for(bound.model_copy(update={"decision": decision})) == "every attacker"


def test_a_bound_makes_no_pass_of_a_leak_without_an_attacker_or_of_a_layer_that_says_nothing() -> None:
    leak = certified(leakage(read=0.40), most=0.10)  # no bound holds so; the attackers read more
    assert judge(leak.measurement, 0.05, leak.certificate).verdict == "FAIL"
    found = powered(founded(leakage(read=0.12, verdict="PASS")))
    failed = found.measurement.attackers[0].model_copy(update={"figures": {}, "failure": "out of memory"})
    short = found.measurement.model_copy(update={"attackers": [failed, *found.measurement.attackers[1:]]})
    assert judge(short, 0.05, certified(found, most=0.12).certificate).verdict == "INCONCLUSIVE"
    constant = found.measurement.model_copy(update={"constant": True})
    assert judge(constant, 0.05, certified(found, most=0.12).certificate).verdict == "INCONCLUSIVE"
    for doubted in ("mean_hides", "rows_seen"):
        hiding = found.measurement.model_copy(update={doubted: True})
        assert judge(hiding, 0.05, certified(found, most=0.12).certificate).verdict == "INCONCLUSIVE"


def test_a_projection_of_a_wide_layer_is_a_pass_by_a_bound_on_every_attacker_alone() -> None:
    found = powered(founded(leakage(read=0.12, verdict="PASS")))
    wide = found.measurement.model_copy(update={"projected_from": 80_000})
    assert judge(found.measurement, 0.05).verdict == "PASS"
    decision = judge(wide, 0.05)
    assert (decision.verdict, "80,000 numbers were projected" in decision.reason) == ("INCONCLUSIVE", True)
    bound = certified(found, most=found.measurement.floor_score.low + 0.04)
    assert judge(wide, 0.05, bound.certificate).verdict == "PASS"
