"""What the page says to do next: for each verdict a command that there is, and why."""

import re
from typing import Any

import click
import pytest
from support.findings import around, audit, certified, continuous, leakage, powered, remeasured, sanitized, spikes
from support.gates import passing

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.verdict import doubt, held_for, judge
from irene.command import COMMANDS, main
from reports.audit_page.render import render
from reports.inputs.comparison import compare
from reports.text.next_step import HOLD, NextStep, next_step
from reports.text.sentences import sentences


def step(one: AuditResult) -> NextStep:
    (pair,) = compare(one, None).pairs
    return next_step(pair)


def of(kind: str, **changed: Any) -> AuditResult:
    """Return an audit of one attribute with a verdict, by attackers that all ran."""
    found = leakage("gender", 0.13 if kind == "PASS" else 0.5, kind)  # type: ignore[arg-type]
    ran = [one for one in found.measurement.attackers if one.failure is None]
    return audit(remeasured(found, attackers=ran), **changed)


def test_a_leak_is_planned_for_and_names_the_limit() -> None:
    told = step(of("FAIL"))
    assert told.command == "irene plan AUDIT.json --rows N"
    assert "can come within 5 points with N rows" in told.why


def test_of_a_release_that_left_too_much_the_plan_is_from_the_audit_before() -> None:
    one = sanitized(leakage("gender"))
    made = one.checkpoint.sanitizing
    assert made is not None
    for release, option in (("code", "--words"), ("map", "--rank")):
        record = made.model_copy(update={"release": release})
        told = step(one.model_copy(update={"checkpoint": one.checkpoint.model_copy(update={"sanitizing": record})}))
        assert told.command.startswith("irene plan BEFORE.json --rows N --limit 0.05")
        assert option in told.why


def test_a_number_is_cut_into_classes_first() -> None:
    told = step(audit(continuous()))
    assert told.command == ""
    assert "cut this number into classes, audit those, and plan from that audit." in told.why


def test_every_fail_says_that_nothing_is_released_until_then() -> None:
    after = sanitized(leakage("gender"))
    made = after.checkpoint.sanitizing
    assert made is not None
    coded = after.checkpoint.model_copy(update={"sanitizing": made.model_copy(update={"release": "code"})})
    for one in (of("FAIL"), audit(continuous()), after.model_copy(update={"checkpoint": coded})):
        assert step(one).why.endswith(HOLD)
    assert HOLD not in step(of("PASS")).why


def test_a_step_that_is_the_same_for_two_attributes_is_told_once() -> None:
    page = render(audit(leakage("gender"), leakage("hair"), leakage("luck", 0.13, "PASS")))
    assert page.count("It says which release of") == 1
    assert "As for gender." in page


@pytest.mark.parametrize(
    ("changed", "fact"),
    [
        ({"command": "irene audit m.pt --limit-rows 500"}, "without --limit-rows, which held rows back"),
        ({}, "Audit more rows with the attribute known"),
    ],
)
def test_what_these_rows_cannot_tell_asks_for_rows(changed: dict[str, Any], fact: str) -> None:
    assert fact in step(of("INCONCLUSIVE", **changed)).why


def test_rows_that_were_drawn_are_asked_for_before_new_ones() -> None:
    (found,) = of("INCONCLUSIVE").private
    fewer = remeasured(found, held=found.measurement.rows + 1)
    assert "without --fit-rows and --test-rows" in step(audit(fewer)).why


def test_an_attacker_that_did_not_run_is_named() -> None:
    found = leakage("gender", 0.13, verdict="INCONCLUSIVE")
    assert any(one.failure for one in found.measurement.attackers)
    assert step(audit(found)).why.startswith("Let every attacker run")


CHANGED: dict[str, tuple[dict[str, Any], float, str]] = {
    "constant": ({"constant": True}, 0.05, "Check the model and its inputs"),
    "floor": ({}, 0.95, "Judge by a limit that an attacker could exceed"),
    "limit": ({"excess": around(-0.02, 0.001)}, 1e-9, "Judge by a larger limit"),
    "rows": ({"excess": around(0.05, 0.02)}, 0.05, "Audit more rows with the attribute known:"),
    "seen": ({"rows_seen": True}, 0.05, "Audit rows that the removal has not trained on"),
    "mean": ({"mean_hides": True}, 0.05, "behind the model's own pooling"),
    "room": ({"room": False}, 0.05, "in the features of this one no leak"),
    "weak": ({"excess": around(-0.05, 0.01)}, 0.05, "Audit with other attackers"),
    "asked": ({"excess": around(0.005, 0.004), "resolution": 0.001}, 0.02, "Audit again with --limit 0.02"),
    "rows or layer": (
        {"spikes": spikes(quadratic=0.05)},
        0.05,
        "Audit more rows with the attribute known, or a narrower",
    ),
    "layer": ({"projected_from": 80_000}, 0.05, "Audit a narrower layer"),
}
"""What of the figures, at which limit, leaves it open, and the step that is told."""


@pytest.mark.parametrize("kind", CHANGED)
def test_every_doubt_has_the_step_that_its_reason_asks_for(kind: str) -> None:
    changes, limit, told = CHANGED[kind]
    able = powered(passing())
    found = able.model_copy(update={"measurement": able.measurement.model_copy(update=changes)})
    open_ = doubt(found.measurement, limit)
    assert open_ is not None and open_.kind == kind
    decided = found.model_copy(update={"decision": judge(found.measurement, limit)})
    assert decided.decided.verdict == "INCONCLUSIVE" and decided.decided.reason == open_.reason
    assert told in step(audit().model_copy(update={"findings": [decided]})).why


def test_a_bound_that_holds_by_the_middle_of_the_floor_alone_says_so() -> None:
    found = leakage("gender", 0.13, "PASS")
    lowest = found.measurement.floor_score.low + 0.05
    for most, is_told in ((lowest + 0.001, True), (lowest - 0.001, False)):
        one = certified(found, most)
        assert held_for(one) == "every attacker"
        (line,) = sentences(audit(one))
        assert ("reads it beyond the limit, by the measured floor" in line) == is_told
        assert "for every attacker" in step(audit(one)).why


def test_a_pass_says_what_it_does_not_cover_and_when_to_audit_again() -> None:
    tried, every = step(of("PASS")), step(audit(certified(leakage("gender", 0.13, "PASS"), 0.14)))
    assert tried.command == "irene check AUDIT.json --limit 0.05 --private gender"
    assert "attackers like these, with no more rows" in tried.why and "it is not anonymity" in tried.why
    assert "for every attacker" in every.why


@pytest.mark.parametrize("name", ["$(rm -rf /)", "a b", "naïve"])
def test_a_name_that_a_shell_would_read_is_not_put_into_a_command(name: str) -> None:
    found = remeasured(leakage(name, 0.13, "PASS"))
    assert step(audit(found)).command.endswith("--private NAME")


@pytest.mark.parametrize("kind", ["FAIL", "INCONCLUSIVE", "PASS"])
def test_every_command_exists_and_stands_on_the_page(kind: str) -> None:
    one = of(kind)
    told = step(one)
    if told.command:
        program, name, *_ = told.command.split()
        assert program == "irene" and name in COMMANDS
    page = render(one)
    shown = re.search(r'<p class="next"><b>Next</b>(?: <code>(.*?)</code>)? <span>(.*?)</span></p>', page)
    assert shown is not None
    assert (shown[1] or "") == told.command
    assert page.index('class="next"') < page.index('class="stats"')


def test_the_worst_comes_first() -> None:
    found: list[Finding] = [
        leakage("a", 0.13, "PASS"), leakage("b", 0.3, "INCONCLUSIVE"), leakage("c", 0.5, "FAIL"),
    ]  # fmt: skip
    assert re.findall(r'<article class="verdict (\w+)">', render(audit(*found))) == ["fail", "open", "pass"]


def test_the_options_of_a_command_exist() -> None:
    for kind in ("FAIL", "PASS"):
        _, name, *typed = step(of(kind)).command.split()
        command = main.get_command(click.Context(main), name)
        assert command is not None
        known = {option for one in command.params for option in one.opts}
        assert {word for word in typed if word.startswith("--")} <= known
