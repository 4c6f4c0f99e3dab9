"""The gate holds a model against its task and against what it was to keep, beside its leakage."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from support.findings import TASK, around, audit, leakage, readable, sanitized
from support.gates import guessed, leaking, untold

from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult, Task, write_audit
from reports.gate.gate import LOST, OPEN, Outcome, conclusion, gate
from reports.gate.json import outcome_json
from reports.gate.junit import junit
from reports.gate.markdown_summary import markdown
from reports.gate.requirements import Losses

Run = Callable[..., Result]


def passing() -> Any:
    found = leakage(read=0.125, verdict="PASS")
    measurement = found.measurement.model_copy(
        update={"floor": {"balanced_accuracy": around(0.12, 0.01), "bits": around(0.05, 0.02)}}
    )
    excess = around(0.005, 0.02)
    measurement = measurement.model_copy(update={"excess": excess, "attackers": measurement.attackers[:-1]})
    decision = found.decided.model_copy(update={"verdict": "PASS"})
    return found.model_copy(update={"measurement": measurement, "decision": decision})


def task(accuracy: float, half: float = 0.008, chance: float = 0.114, balanced: float | None = None) -> Task:
    changes = {
        "accuracy": around(accuracy, half),
        "balanced_accuracy": around(accuracy if balanced is None else balanced, half),
        "chance": chance,
    }
    return TASK.model_copy(update=changes)


def pair(before: float = 0.962, after: float = 0.96, kept: tuple[float, float] = (0.88, 0.87)) -> list[AuditResult]:
    return [
        audit(passing(), readable(read=kept[0]), task=task(before)),
        sanitized(passing(), readable(read=kept[1]), task=task(after)),
    ]


def judged(before: AuditResult, after: AuditResult, **losses: Any) -> Outcome:
    return gate(after, before, losses=Losses(**losses))


def states(outcome: Outcome) -> list[tuple[str, str]]:
    return [(one.name, one.state) for one in outcome.requirements]


def test_without_a_demand_a_model_that_does_its_task_passes_as_ever() -> None:
    outcome = judged(*pair())
    assert (outcome.exit_code, outcome.requirements, outcome.title) == (0, (), "PASS")


@pytest.mark.parametrize(
    ("one", "is_lost"),
    [
        (task(0.11, balanced=0.1), True),  # no better than the most frequent class
        (task(0.05), True),
        (task(0.12, 0.02), True),  # above it by its middle alone
        (task(0.60, chance=0.9, balanced=0.70), False),  # made for the rare classes
        (task(0.9, chance=0.9, balanced=0.1), True),  # one answer for all
        (task(0.2), False),
    ],
)
def test_a_model_at_chance_does_not_pass_unless_that_is_allowed(one: Task, is_lost: bool) -> None:
    result = audit(passing(), task=one)
    outcome = gate(result)
    assert (outcome.exit_code == LOST) is is_lost
    assert gate(result, losses=Losses(allow_chance=True)).exit_code == 0
    if is_lost:
        assert states(outcome) == [("task above chance", "lost")] and outcome.title == "PASS, LOST"
        assert "no better than always answering the most frequent class (exit code 5)" in conclusion(outcome)


@pytest.mark.parametrize(
    ("after", "most", "state", "code"),
    [
        (0.960, 0.02, "retained", 0),
        (0.90, 0.02, "lost", LOST),
        (0.945, 0.02, "open", OPEN),
        (0.90, 0.10, "retained", 0),
    ],
)
def test_the_loss_of_the_task_is_limited_by_its_interval(after: float, most: float, state: str, code: int) -> None:
    outcome = judged(*pair(after=after), task=most)
    assert (states(outcome), outcome.exit_code) == ([("task drop", state)], code)
    assert "The task's accuracy changed by" in outcome.requirements[0].reason


@pytest.mark.parametrize(
    ("after", "most", "state", "code"),
    [(0.87, 0.05, "retained", 0), (0.70, 0.05, "lost", LOST), (0.84, 0.05, "open", OPEN)],
)
def test_the_loss_of_what_is_kept_is_limited_by_its_interval(after: float, most: float, state: str, code: int) -> None:
    outcome = judged(*pair(kept=(0.88, after)), kept=most)
    assert (states(outcome), outcome.exit_code) == ([("keep drop", state)], code)
    before, last = pair(kept=(0.88, after))
    assert gate(last, before, allow_inconclusive=True, losses=Losses(kept=most)).exit_code == (
        code if code == LOST else 0
    )


def test_what_cannot_be_told_from_its_floor_is_not_held_however_little_was_lost_and_the_reason_says_so() -> None:
    floor = readable(read=0.88).measurement.floor_score.value
    outcome = judged(*pair(kept=(floor + 0.01, floor)), kept=0.5)
    assert states(outcome) == [("keep drop", "open")]
    assert outcome.requirements[0].reason.endswith(
        "at most 50 points may be lost, and it is not clearly read above its floor now."
    )
    (held,) = judged(*pair(), kept=0.5).requirements
    assert held.reason.endswith("at most 50 points may be lost.")


def test_a_leak_goes_before_what_was_lost_and_that_before_what_is_open() -> None:
    before, after = pair(after=0.5)
    leaks = after.model_copy(update={"findings": [leaking(), *after.retained]})
    assert judged(before, leaks, task=0.01).exit_code == 3
    open_ = after.model_copy(update={"findings": [untold(), *after.retained]})
    assert judged(before, open_, task=0.01).exit_code == LOST


@pytest.mark.parametrize(
    ("given", "losses", "fact"),
    [
        ([None, *pair()[1:]], {"task": 0.1}, "--task-drop limits a loss since an audit before"),
        ([None, *pair()[1:]], {"kept": 0.1}, "--keep-drop limits a loss since an audit before"),
        (
            [audit(passing()), sanitized(passing())],
            {"kept": 0.1},
            "no attribute to keep was audited. Audit with --keep",
        ),
    ],
)
def test_a_loss_of_what_was_not_audited_is_an_error(given: Any, losses: Any, fact: str) -> None:
    with pytest.raises(EvidenceError, match=fact):
        gate(given[1], given[0], losses=Losses(**losses))


def test_without_a_task_nothing_is_asked_of_it() -> None:
    assert gate(audit(guessed(passing(), 0.11), task=None)).requirements == ()


def test_every_form_of_the_outcome_says_it() -> None:
    outcome = judged(*pair(after=0.90, kept=(0.88, 0.70)), task=0.02, kept=0.05)
    told = json.loads(outcome_json(outcome, {}))
    assert (told["exit_code"], told["task_drop"], told["keep_drop"]) == (5, 0.02, 0.05)
    assert [(one["name"], one["state"], one["tolerance"]) for one in told["requirements"]] == [
        ("task drop", "lost", 0.02), ("keep drop", "lost", 0.05),
    ]  # fmt: skip
    assert told["requirements"][0]["loss"]["value"] == pytest.approx(0.062)
    assert (told["kept"][0]["state"], told["kept"][0]["change"]["value"]) == ("lost", pytest.approx(-0.18))
    (suite,) = ET.fromstring(junit(outcome))
    assert [suite.get(name) for name in ("tests", "failures")] == ["3", "2"]
    assert [one.get("name") for one in suite.iter("testcase")] == [
        "colour at features.7", "task drop, digit", "keep drop, smiling at features.7",
    ]  # fmt: skip
    summary = markdown(outcome)
    assert summary.startswith("## Privacy check: PASS, LOST\n")
    assert "- **LOST** task drop, digit: " in summary and "| smiling at features.7 | lost | " in summary
    assert "more was lost than is allowed of digit, smiling at features.7 (exit code 5)" in conclusion(outcome)


def test_the_command_takes_the_demands_and_a_config_file_does(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = pair(after=0.90, kept=(0.88, 0.70))
    write_audit(before, tmp_path / "before.json")
    write_audit(after, tmp_path / "after.json")
    asked = ("check", tmp_path / "after.json", "--before", tmp_path / "before.json")
    assert run(*asked).exit_code == 0
    lost = run(*asked, "--task-drop 0.02 --keep-drop 0.05")
    assert lost.exit_code == 5
    assert lost.stdout.startswith("TASK: digit: accuracy 96.2 %") and "\nLOST: task drop, digit: " in lost.stdout
    assert "\nLOST: smiling at features.7: " in lost.stdout and "KEPT" not in lost.stdout
    monkeypatch.chdir(tmp_path)
    (tmp_path / "irene.toml").write_text("[check]\ntask-drop = 0.02\n", encoding="utf-8")
    assert run(*asked, "--config irene.toml").exit_code == 5
    wrong = run(*asked, "--task-drop 2")
    assert wrong.exit_code == 2 and "Write 0.05 for 5 points" in wrong.output
    alone = run("check", tmp_path / "after.json", "--task-drop 0.02")
    assert alone.exit_code == 1 and "Give --before" in alone.output
