"""A task that is a quantity on every page, in the gate and in its files: R², and nowhere an accuracy on the task."""

import json
import re
from pathlib import Path

import pytest
from support.findings import around, audit, readable, sanitized
from support.gates import called, passing

from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult, QuantityTask, Task, write_audit
from reports.gate.gate import conclusion, gate
from reports.gate.json import outcome_json
from reports.gate.markdown_summary import markdown
from reports.gate.requirements import Losses


def task(r2: float, half: float = 0.02) -> QuantityTask:
    return QuantityTask(
        name="age", r2=around(r2, half), mae=around(8.0, 0.4), mae_of_median=12.5, rows=1900, answered=1800,
        bins={"colour": 16, "smiling": 16},
    )  # fmt: skip


def pair(before: float = 0.61, after: float = 0.60) -> list[AuditResult]:
    return [audit(passing(), readable(), task=task(before)), sanitized(passing(), readable(), task=task(after))]


def on_page(*audits: AuditResult, folder: Path, suffix: str) -> str:
    places = [folder / f"{place}.json" for place in range(len(audits))]
    for one, place in zip(audits, places, strict=True):
        write_audit(one, place)
    result = called("report", *map(str, places), "-o", str(folder / f"page.{suffix}"))
    assert result.exit_code == 0, result.output
    return (folder / f"page.{suffix}").read_text(encoding="utf-8")


def told(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_every_page_tells_of_r2_and_of_no_accuracy_on_the_task(tmp_path: Path) -> None:
    alone = told(on_page(pair()[0], folder=tmp_path, suffix="html"))
    both = told(on_page(*pair(), folder=tmp_path, suffix="html"))
    more = audit(passing(), readable(), task=task(0.59), sha="e" * 64)
    several = told(on_page(*pair(), more, folder=tmp_path, suffix="html"))
    for text in (alone, both, several):
        assert "R² on the task" in text and "ccuracy on the task" not in text and "requent class" not in text
    assert "the bin of the predicted number alone" in alone and "Answering the mean" in alone
    assert "the median: 12.5" in alone and "The task's R² changed by −0.010" in both.replace("&#39;", "'")


def test_the_gate_holds_a_loss_of_r2_against_its_tolerance() -> None:
    before, after = pair(after=0.50)
    (lost,) = gate(after, before, losses=Losses(task=0.05)).requirements
    assert lost.state == "lost" and "The task's R² changed by −0.110" in lost.reason
    assert "at most 0.05 of R² may be lost" in lost.reason
    before, after = pair(after=0.61)
    (kept,) = gate(after, before, losses=Losses(task=0.05)).requirements
    assert kept.state == "retained"


def test_what_was_lost_is_told_beside_a_task_at_chance() -> None:
    before, after = pair(after=0.01)
    told_of = conclusion(gate(after, before, losses=Losses(task=0.05)))
    assert "no better than answering the mean, and more was lost than is allowed of age" in told_of


def test_a_model_that_is_no_nearer_than_the_mean_is_told_by_the_gate() -> None:
    outcome = gate(audit(passing(), task=task(0.01)), None, losses=Losses())
    assert "no better than answering the mean (exit code 5)" in conclusion(outcome)
    (below,) = outcome.requirements
    assert (below.name, below.state) == ("task above chance", "lost")
    assert "is not above the 0 of answering the mean" in below.reason


def test_the_files_of_the_gate_name_the_figure() -> None:
    before, after = pair()
    outcome = gate(after, before, losses=Losses())
    found = json.loads(outcome_json(outcome, {}))["audits"]["after"]
    assert found["task_accuracy"] is None and found["task_r2"]["value"] == pytest.approx(0.60)
    assert "age: R² 0.61" in markdown(outcome).replace("\\", "")


def test_audits_of_a_quantity_and_of_classes_are_not_compared() -> None:
    before, after = pair()
    assert before.task is not None
    classes = Task(
        name="age", classes=["0", "1"], accuracy=around(0.9), balanced_accuracy=around(0.9), chance=0.5, guess=0.5
    )
    with pytest.raises(EvidenceError, match=r"task \(age \(0, 1\) before, age \(a quantity\) after\)"):
        gate(after, before.model_copy(update={"task": classes}), losses=Losses())
