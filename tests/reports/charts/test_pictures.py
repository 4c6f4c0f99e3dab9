"""Drawings of classes, of few false alarms, of epochs and of units: what each shows, and when there is none."""

import re
import xml.etree.ElementTree as ET

import pytest
from support.evidences import everything
from support.findings import around, audit, exposing, leakage, remeasured, sanitizing

from audit.evidence.audit_result import AuditResult, Epoch, Sanitizing
from audit.evidence.findings import ClassRecall, Estimate, Exposure, TruePositives
from reports.audit_page.epochs import view as epochs_view
from reports.audit_page.sections.classes import view as classes_view
from reports.charts.bars import NAMES, bars
from reports.charts.epochs import epochs_drawing
from reports.charts.exposure import MOST, recall_drawing, roc_drawing
from reports.charts.heatmap import SIDE
from reports.charts.intervals import NARROW
from reports.inputs.comparison import Pair, compare

HAND = ("no", "yes")


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(svg).iter() if node.tag.rpartition("}")[2] == "text"]


def told(svg: str) -> str:
    return next(node.text or "" for node in ET.fromstring(svg).iter() if node.tag.rpartition("}")[2] == "desc")


def pair_of(before: AuditResult, after: AuditResult | None = None) -> Pair:
    return compare(before, after).pairs[0]


def binary(rates: dict[float, Estimate | None], recall: float = 0.6) -> AuditResult:
    """Return an audit whose attacker finds `rates` of the class `yes`, and of `no` what a guess does."""
    found = [TruePositives(wanted="yes", false_positive_rate=rate, rate=one) for rate, one in rates.items()]
    found += [TruePositives(wanted="no", false_positive_rate=rate, rate=around(rate, rate / 2)) for rate in rates]
    recalls = [ClassRecall(name=name, recall=around(recall)) for name in HAND]
    hand = leakage("left-handed", recall, classes=HAND)
    return audit(remeasured(hand, exposure=Exposure(recalls=recalls, found=found)))


def test_every_class_stands_with_its_recall_and_a_small_one_is_withheld_there_too() -> None:
    one = recall_drawing(pair_of(audit(exposing(leakage()))), "recall")
    assert one is not None
    for svg in (one.wide, one.narrow):
        said = texts(svg)
        assert {"0", "9", "withheld", "a guess 10 %"} <= {*said}
        assert any(word.startswith("60.0 % (58.0–62.0)") for word in said)
        assert any(word.startswith("limit on their mean") for word in said)
        assert "9: withheld" in told(svg)
    assert "before" not in one.caption


def test_before_and_after_stand_in_one_lane() -> None:
    before, after = (audit(exposing(leakage(read=read)), sha=sha * 64) for read, sha in ((0.5, "b"), (0.4, "a")))
    alone, both = recall_drawing(pair_of(before), "one"), recall_drawing(pair_of(before, after), "two")
    assert alone and both
    assert "Circle: before; square, and the figure: after." in both.caption
    assert both.wide.count("<path") > alone.wide.count("<path")


def test_of_many_classes_those_are_drawn_that_are_recognised_most() -> None:
    names = tuple(f"kind {number}" for number in range(40))
    found = exposing(leakage("kind", 0.3, classes=names))
    one = recall_drawing(pair_of(audit(found)), "many")
    assert one is not None and one.caption.startswith(f"The {MOST} most recognised of 40 classes.")
    shown = [word for word in texts(one.wide) if word in names]
    assert shown == list(names[:MOST]), "recalls fall from class to class"
    pictured = classes_view(compare(audit(found), None))
    assert pictured.exposed is not None and len(pictured.exposed.tables) == 1, "a table has those that are not drawn"


def test_a_recall_that_is_drawn_stands_in_no_table_too() -> None:
    several = classes_view(compare(audit(exposing(leakage())), None))
    assert several.pictures and several.exposed and several.exposed.tables == ()
    two = classes_view(compare(binary({0.1: around(0.3), 0.01: around(0.1)}), None))
    assert two.exposed is not None
    assert two.exposed.tables[0].columns == ("Class", "Found at 10 % false alarms, %", "Found at 1 % false alarms, %")


def test_what_a_cautious_attacker_finds_is_drawn_from_two_rates_on() -> None:
    assert roc_drawing(pair_of(binary({0.1: around(0.3)})), "roc") is None
    assert roc_drawing(pair_of(audit(exposing(leakage()))), "roc") is None
    one = roc_drawing(pair_of(binary({0.1: around(0.3), 0.01: around(0.1), 0.001: None})), "roc")
    assert one is not None
    assert {"yes", "no", "a guess", "1 %", "10 %", "100 %"} <= {*texts(one.wide)}
    assert "yes: 10.0 % (8.0–12.0) at 1 %, 30.0 % (28.0–32.0) at 10 %" in told(one.narrow)


def test_a_rate_of_nothing_stands_at_the_foot_of_the_logarithmic_scale() -> None:
    none = Estimate(value=0, low=0, high=0.02)
    one = roc_drawing(pair_of(binary({0.1: none, 0.01: none})), "roc")
    assert one is not None and "stands at its foot" in one.caption
    assert "inf" not in one.wide and "nan" not in one.wide


@pytest.mark.parametrize("low", [0.0, 1e-12])
def test_where_nothing_is_found_of_either_class_the_scale_is_that_of_the_rates(low: float) -> None:
    nothing = Estimate(value=low, low=low, high=0.02)
    found = binary({0.1: nothing, 0.01: nothing})
    exposure = found.findings[0].measurement.exposure
    assert exposure is not None
    none = [one.model_copy(update={"rate": nothing}) for one in exposure.found]
    exposure = exposure.model_copy(update={"found": none})
    one = roc_drawing(pair_of(audit(remeasured(found.findings[0], exposure=exposure))), "roc")
    assert one is not None
    decades = [word for word in texts(one.wide) if word.endswith("%") and word not in ("1 %", "10 %")]
    assert len(decades) <= 3, "100 %, and two under the lowest rate"


def test_no_line_of_a_narrow_drawing_runs_through_the_names_over_its_lanes() -> None:
    one = recall_drawing(pair_of(audit(exposing(leakage()))), "narrow")
    assert one is not None
    names = {float(y) for y in re.findall(r'<text style="font-weight: 700[^"]*" x="0" y="([\d.]+)"', one.narrow)}
    upright = re.findall(r"M ([\d.]+) ([\d.]+) L \1 ([\d.]+)", one.narrow)
    assert len(names) == 9 and len(upright) >= 2 * len(names)
    spans = [sorted((float(low), float(high))) for _, low, high in upright]
    assert [y for y in names for low, high in spans if low < y + 2 and high > y - 0.7 * NARROW.text] == []


def made(*read: float, chosen: int | None = 1, task: float | None = 0.9) -> Sanitizing:
    trace = [Epoch(task_loss=0.5, penalty={}, task_accuracy=task, fresh={"colour": one}) for one in read]
    return sanitizing().model_copy(update={"trace": trace, "chosen": chosen})


def test_a_training_is_drawn_by_its_epochs_with_the_one_that_was_chosen() -> None:
    one = epochs_drawing(made(0.6, 0.4, 0.3))
    assert one is not None
    assert {"colour", "task", "chosen: epoch 2", "1", "2", "3"} <= {*texts(one.wide)}
    assert "60.0 % after epoch 1, 40.0 % after epoch 2" in told(one.wide)


@pytest.mark.parametrize("record", [made(), made(0.5), sanitizing()])
def test_fewer_than_two_epochs_are_no_picture(record: Sanitizing) -> None:
    assert epochs_drawing(record) is None


def test_a_task_that_is_a_quantity_is_not_set_on_a_scale_of_shares() -> None:
    record = made(0.6, 0.4).model_copy(update={"settings": {"task_is": "a quantity"}})
    one = epochs_drawing(record)
    assert one is not None and "task" not in texts(one.wide)


def test_a_page_without_a_training_has_no_section_of_it() -> None:
    assert epochs_view(compare(audit(leakage()), None)) is None
    assert epochs_view(compare(everything(), everything(after=True))) is not None


def test_bars_are_as_long_as_their_numbers_and_end_at_nothing() -> None:
    drawn = bars([("unit 3", 0.4), ("unit 1", 0.1), ("unit 2", -0.2)], 0.4, title="t", label="l")
    full, quarter, none = (float(width) for width in re.findall(r'width="([\d.]+)"', drawn))
    assert full == pytest.approx(4 * quarter) and none == 0
    assert full < SIDE - NAMES
    assert {"unit 3", "0.40", "−0.20"} <= {*texts(drawn)}
