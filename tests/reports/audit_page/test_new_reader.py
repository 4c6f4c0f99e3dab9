"""What somebody who sees a page for the first time finds on it: what it cost, who is exposed, and what words mean."""

import re

import pytest
from support.findings import (
    around,
    audit,
    ceiling,
    continuous,
    exposing,
    leakage,
    readable,
    remeasured,
    sanitized,
    task_less,
)
from support.outline import section

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import ClassRecall, Exposure, Finding
from reports.audit_page.render import render
from reports.charts.intervals import NARROW, Lane, Line, Point, Scale, draw
from reports.inputs.comparison import compare
from reports.text.caveats import cautions
from reports.text.cost import cost


def lost() -> tuple[AuditResult, AuditResult]:
    return audit(leakage(), readable(read=0.88)), sanitized(leakage(read=0.13, verdict="PASS"), readable(read=0.5))


def test_what_removal_cost_stands_beside_the_verdict() -> None:
    before, after = lost()
    told = cost(compare(before, after))
    assert re.fullmatch(r"The task's accuracy changed by \S+ points \(.*\); lost: smiling\.", told)
    assert told in section(render(before, after), "verdict")
    assert cost(compare(before, None)) == ""
    assert "Cost" not in section(render(before), "verdict")


def test_what_a_verdict_says_is_not_said_again_below_it() -> None:
    text = section(render(audit(leakage())), "verdict")
    assert "The attacker beats the floor by" not in text, "it is the lower end of the interval"
    weak = audit(remeasured(leakage(read=0.13, verdict="PASS"), ceiling=ceiling(0.1)))
    doubts = [one for one in cautions(compare(weak, None)) if "a weak attacker cannot be told" in one]
    assert doubts
    assert section(render(weak), "verdict").count("a weak attacker cannot be told from no leak") == 1


def test_a_caption_that_an_earlier_drawing_has_is_not_repeated() -> None:
    page = render(audit(leakage("gender"), leakage("hair")))
    assert page.count("Balanced accuracy of the strongest fresh attacker with its") == 1


def test_who_is_exposed_is_told_of_several_classes_and_of_numbers() -> None:
    classes = [one.name for one in leakage().measurement.classes]
    recalls = [ClassRecall(name=name, recall=around(0.9 if name == classes[2] else 0.3)) for name in classes]
    found = remeasured(exposing(leakage()), exposure=Exposure(recalls=recalls, found=[]))
    text = section(render(audit(found)), "classes")
    assert f"Most recognised is {classes[2]} (colour at" in text
    assert "where a guess gives" in text
    assert "age: a number without classes" in section(render(audit(continuous())), "classes")
    assert "height: a number" not in section(render(audit(leakage(), continuous("height"))), "leakage")


def test_a_rate_at_which_no_class_could_be_looked_for_has_no_column() -> None:
    found = exposing(leakage("gender", classes=("f", "m")))
    shown = found.measurement.exposure
    assert shown is not None and len({one.false_positive_rate for one in shown.found}) > 1
    least = min(one.false_positive_rate for one in shown.found)
    few = [one.model_copy(update={"rate": None}) if one.false_positive_rate == least else one for one in shown.found]
    page = render(audit(remeasured(found, exposure=shown.model_copy(update={"found": few}))))
    text = section(page, "classes")
    assert f"At {100 * least:g} % false alarms these rows are too few to tell." in text
    assert f"Found at {100 * least:g} % false alarms, %" not in text
    assert "A dash" not in text


@pytest.mark.parametrize(
    ("one", "words"), [(leakage(), ("AUROC:", "Information:")), (continuous(), ("R², the share of the variance",))]
)
def test_figures_are_explained_where_they_first_stand_and_no_others(one: Finding, words: tuple[str, ...]) -> None:
    text = section(render(audit(one)), "leakage")
    assert all(word in text for word in words)
    assert ("AUROC:" in text) == ("AUROC:" in words)
    assert "(ceiling)" in text
    bare = remeasured(one, ceiling=None)
    assert "(ceiling)" not in section(render(audit(bare)), "leakage")


def test_embeddings_are_called_embeddings() -> None:
    page = render(task_less().model_copy(update={"checkpoint": vectors()}))
    assert "What attackers, trained afresh, read from these embeddings." in page
    assert "Embeddings, SHA-256" in section(page, "sign-off")
    assert "given the task" not in section(page, "leakage"), "there is none"


def vectors() -> object:
    return task_less().checkpoint.model_copy(update={"format": "embeddings", "sanitizing": None})


@pytest.mark.parametrize("at", [0.59, 0.3])
def test_a_name_beside_a_line_ends_with_its_drawing(at: float) -> None:
    name = "limit on their mean 75.7 %"
    lanes = [Lane("f", "100 %", (Point.at("after", 1.0),)), Lane("m", "0 %", (Point.at("after", 0.0),))]
    scale = Scale("recognised", is_share=True)
    svg = draw(lanes, [Line(name, at, "--")], None, scale=scale, label="x", layout=NARROW, salt="s")
    (x,) = re.findall(rf'text-anchor: start[^>]* x="([\d.]+)"[^>]*>{name}', svg)
    assert float(x) + 5.5 * len(name) <= NARROW.width
    assert float(x) <= 16 + at * 288 + 4.5, "it begins at its line where there is room"
