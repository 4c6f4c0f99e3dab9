"""Retained or lost: by the paired change with its interval, and by the floor."""

import pytest
from support.findings import around, audit, leakage, readable, refigured, regression, remeasured, retained, sanitized

from audit.evidence.findings import Estimate, Finding
from reports.inputs.comparison import Pair, compare
from reports.inputs.retention import is_readable, kept_state, loss, retention, within
from reports.text.sentences import retained_by_state, retained_sentence


def kept(read: float, half: float = 0.02) -> Finding:
    """Return a retained attribute of two classes with a floor of one half."""
    found = retained(refigured(leakage("smiling", read, classes=("no", "yes")), balanced_accuracy=around(read, half)))
    floor = {"balanced_accuracy": around(0.5, 0.0), "bits": around(0.0, 0.0)}
    return remeasured(found, floor=floor, excess=around(read - 0.5, half))


def pair(before: Finding, after: Finding) -> Pair:
    (one,) = compare(audit(leakage(), before), sanitized(leakage(), after)).retained
    return one


def test_a_loss_is_the_change_turned_round() -> None:
    change = pair(kept(0.88), kept(0.80)).change
    assert change is not None
    lost = loss(change)
    assert lost.value == pytest.approx(0.08)
    assert lost.low == pytest.approx(0.08 - 0.0283, abs=1e-3)
    assert lost.high == pytest.approx(0.08 + 0.0283, abs=1e-3)


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [(-0.02, 0.05, "retained"), (0.051, 0.2, "lost"), (0.04, 0.06, "open"), (-0.2, -0.1, "retained")],
)
def test_a_loss_is_held_against_the_tolerance_by_its_interval(low: float, high: float, state: str) -> None:
    assert within(Estimate(value=(low + high) / 2, low=low, high=high), 0.05) == state


@pytest.mark.parametrize(
    ("before", "after", "state"),
    [
        (0.88, 0.87, "retained"),
        (0.88, 0.90, "retained"),
        (0.88, 0.70, "lost"),
        (0.88, 0.83, "open"),
        (0.758, 0.509, "lost"),  # the case of the glasses: to its floor
        (0.555, 0.505, "lost"),  # a small fall, to the floor
        (0.505, 0.505, "open"),  # it could not be read before either
        (0.52, 0.512, "open"),
    ],
)
def test_what_fell_to_its_floor_is_lost_and_never_retained(before: float, after: float, state: str) -> None:
    found = pair(kept(before, 0.015), kept(after, 0.015))
    assert retention(found) == kept_state(found) == state
    line = retained_sentence(found)
    assert line.startswith(f"{state.upper()}: smiling at features.7: ")
    assert ", a change of " in line


def test_another_tolerance_decides_otherwise() -> None:
    found = pair(kept(0.88), kept(0.80))
    assert (retention(found, 0.04), retention(found, 0.2)) == ("lost", "retained")
    assert retained_sentence(found, 0.2).startswith("RETAINED: ")


def test_one_audit_alone_says_whether_it_can_be_read() -> None:
    (high,), (low,) = (compare(audit(leakage(), one), None).retained for one in (kept(0.88), kept(0.51)))
    assert (retention(high), retention(low)) == (None, None)
    assert (is_readable(high.last.measurement), is_readable(low.last.measurement)) == (True, False)
    assert retained_sentence(high).startswith("KEPT: ") and retained_sentence(low).startswith("NOT READABLE: ")


def test_a_quantity_is_retained_or_lost_as_well() -> None:
    assert kept_state(pair(regression(read=0.61), regression(read=0.20))) == "lost"


def test_a_page_names_each_state_once_the_gravest_first() -> None:
    before, after = audit(leakage(), readable(), kept(0.9)), sanitized(leakage(), readable(), kept(0.9))
    assert retained_by_state(compare(before, after).retained)[0].startswith("Retained, with a loss of at most 5 points")
    told = retained_by_state([pair(kept(0.88), kept(0.87)), pair(kept(0.88), kept(0.60))])
    assert [one.partition(",")[0] for one in told] == ["Lost", "Retained"]
    many = retained_by_state([pair(kept(0.88), kept(0.60))] * 25)
    assert many[0].endswith("and 5 more.")
