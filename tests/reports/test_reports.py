"""The comparison of two audits and its words: like with like, and no verdict better than its figures."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cards import card
from support.findings import (
    TASK,
    around,
    audit,
    ceiling,
    certified,
    continuous,
    leakage,
    readable,
    regression,
    remeasured,
    rich,
    sanitized,
    task_less,
)

from audit.errors import EvidenceError
from audit.evidence.audit_result import (
    AuditResult,
    Split,
    write_audit,
)
from audit.evidence.findings import (
    Estimate,
)
from audit.evidence.numbers import at_most, at_most_percent, bits, excess, one_line, quantity, share
from reports.cli.report import report
from reports.inputs.comparison import compare
from reports.text.sentences import described, sentences


def test_a_pair_holds_before_and_after_of_one_attribute_at_one_layer() -> None:
    before = audit(leakage(read=0.58), leakage("age", 0.30))
    after = sanitized(leakage("age", 0.28), leakage(read=0.41))
    pairs = compare(before, after).pairs
    assert [[one.found.attribute for one in pair.readings] for pair in pairs] == [
        ["colour"] * 2,
        ["age"] * 2,
    ]
    assert [one.measurement.score.value for one in pairs[0].readings] == [0.58, 0.41]


UNLIKE: dict[str, AuditResult] = {
    "data fingerprint": sanitized(data=audit().data.model_copy(update={"fingerprint": "f" * 64})),
    "test split": sanitized(data=audit().data.model_copy(update={"test": Split(rows=9, groups=9)})),
    "seed (0 before, 7 after)": sanitized(protocol=audit().protocol.model_copy(update={"seed": 7})),
    "attackers": sanitized(protocol=audit().protocol.model_copy(update={"attackers": ["logistic"]})),
    "limit": sanitized(protocol=audit().protocol.model_copy(update={"limit": 0.5})),
    "task": sanitized(task=TASK.model_copy(update={"name": "parity"})),
    "task (digit": sanitized(task=None),
    "rows without a task label (0 before, 9 after)": sanitized(task=TASK.model_copy(update={"missing": 9})),
    "rows that fit an attacker on shuffled labels": sanitized(
        protocol=audit().protocol.model_copy(update={"null_rows": 7})
    ),
    "unreadable rows": sanitized(data=audit().data.model_copy(update={"unreadable": 1})),
    "kept attributes and layers (none before": sanitized(leakage(), readable()),
    "attributes and layers (colour": sanitized(leakage(), continuous()),
    "missing rows of colour at features.7": sanitized(remeasured(leakage(), missing=5)),
    "classes left out of colour": sanitized(remeasured(leakage(), left_out={"red": 2})),
    "attributes and layers": sanitized(leakage("age")),
    "features.9": sanitized(leakage(layer="features.9")),
    "class counts": sanitized(leakage(classes=("yes", "no"))),
}


@pytest.mark.parametrize("named", UNLIKE)
def test_unlike_audits_are_refused_in_one_line_that_names_the_difference(named: str) -> None:
    with pytest.raises(EvidenceError) as error:
        compare(audit(), UNLIKE[named])
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_the_same_checkpoint_twice_is_refused() -> None:
    with pytest.raises(EvidenceError, match="the same checkpoint"):
        compare(audit(), audit())


def test_after_given_before_is_refused() -> None:
    with pytest.raises(EvidenceError, match="the other way round"):
        compare(sanitized(), audit())


def test_a_pass_that_its_own_interval_denies_is_refused() -> None:
    with pytest.raises(EvidenceError, match="says PASS for colour"):
        compare(audit(leakage(read=0.40, verdict="PASS")), None)
    compare(audit(leakage(read=0.13, verdict="PASS")), None)


def test_a_sanitized_checkpoint_of_another_parent_is_compared_with_a_warning() -> None:
    assert not compare(audit(), sanitized()).warnings
    (warning,) = compare(audit(), sanitized(parent="c" * 64)).warnings
    assert "was not made from the one audited before" in warning


def test_a_head_below_the_fresh_attackers_interval_is_a_failed_self_certification() -> None:
    (line,) = sentences(audit(), sanitized(leakage(read=0.40), head=0.10))
    assert "Self-certification failed: the sanitizer's own head says 10.0 %, a fresh attacker reads 40.0 %" in line


@pytest.mark.parametrize("head", [0.39, None])
def test_a_head_within_the_interval_or_no_head_at_all_contradicts_nothing(head: float | None) -> None:
    (line,) = sentences(audit(), sanitized(leakage(read=0.40), head=head))
    assert "Self-certification" not in line


def test_a_sentence_carries_every_figure_it_has_to_be_read_against() -> None:
    (line,) = sentences(audit(leakage(read=0.58)), sanitized(leakage(read=0.40)))
    assert line.startswith("FAIL: colour at features.7: a fresh attacker still reads it beyond the limit")
    for part in (
        "40.0 % balanced accuracy (95 % interval 38.0–42.0)", "58.0 % (56.0–60.0) before",
        "the predicted task label alone gives 12.0 % (11.0–13.0)", "a guess 10 %",
        "28.0 points (25.7 to 30.3)", "limit of 5 points (set by default)", "on 2,000 test rows",
    ):  # fmt: skip
        assert part in line


def test_an_open_verdict_says_that_it_is_no_pass_and_what_would_settle_it() -> None:
    reason = "About 9,000 test rows would settle it."
    (line,) = sentences(audit(leakage(read=0.16, verdict="INCONCLUSIVE", reason=reason)))
    assert line.startswith("INCONCLUSIVE")
    assert "not a pass" in line
    assert line.endswith(reason)


def test_a_reason_brings_no_control_characters_into_a_terminal() -> None:
    found = leakage(read=0.16, verdict="INCONCLUSIVE", reason="More rows.\x1b[31m\u202e\n\x00Really.")
    (line,) = sentences(audit(found))
    assert line.endswith(r"More rows.\x1b[31m\u202e\n\x00Really.")


@pytest.mark.parametrize(
    ("half", "value", "interval"),
    [(0.06, "43 %", "37–49"), (0.029, "43.1 %", "40.2–46.0"), (0.002, "43.10 %", "42.90–43.30")],
)
def test_a_figure_has_no_more_digits_than_its_interval_deserves(half: float, value: str, interval: str) -> None:
    figure = share(around(0.431, half))
    assert (figure.value, figure.interval) == (value, interval)


def test_rounding_never_moves_an_excess_onto_or_over_its_limit() -> None:
    figure = excess(Estimate(value=0.01, low=-0.03, high=0.04996), 0.05)
    assert figure.interval == "−3.000 to 4.996"


@pytest.mark.parametrize(
    ("value", "half", "told"),
    [
        (-0.2, 0.05, "−0.20 bits (−0.25 to −0.15)"),
        (0.01, 0.02, "0.010 bits (−0.010 to 0.030)"),
        (-1e-5, 0, "0.00 bits"),
    ],
)
def test_negative_information_shows_as_it_is(value: float, half: float, told: str) -> None:
    assert str(bits(around(value, half))).startswith(told)


@given(st.text(max_size=300))
@settings(max_examples=50, deadline=None)
def test_a_name_of_any_kind_stays_on_one_short_line(name: str) -> None:
    line = one_line(name)
    assert len(line) <= 80
    assert len(line.splitlines()) <= 1
    assert not {"\x1b", "\u202e", "\u2066"} & set(line)


def test_the_command_writes_the_page_and_says_the_verdicts(tmp_path: Path) -> None:
    before, after, out = tmp_path / "before.json", tmp_path / "after.json", tmp_path / "new" / "report.html"
    write_audit(audit(), before)
    write_audit(sanitized(), after)
    result = CliRunner().invoke(report, [str(before), str(after), "-o", str(out)], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.output.splitlines() == [f"Wrote {out}", *sentences(audit(), sanitized())]
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_commands_help_ends_in_an_example() -> None:
    lines = CliRunner().invoke(report, ["--help"]).output.splitlines()
    assert "  Example:" in lines
    assert "    irene report out/before.json out/after.json -o out/report.html" in lines


def test_a_head_is_held_against_attackers_at_its_own_layer_only() -> None:
    other = leakage(layer="features.9")
    pairs = compare(audit(leakage(), other), sanitized(leakage(), other)).pairs
    assert [pair.last.head is not None for pair in pairs] == [True, False]


def test_a_pair_is_formed_for_continuous_and_for_kept_attributes_too() -> None:
    comparison = compare(rich(), rich(after=True))
    assert [[one.measurement.score.value for one in pair.readings] for pair in comparison.pairs] == [
        [0.58, 0.40],
        [0.43, 0.20],
    ]
    assert [pair.last.found.attribute for pair in comparison.retained] == ["smiling", "height"]


def test_kept_attributes_measured_on_other_rows_are_refused() -> None:
    fewer = remeasured(regression(), missing=99)
    with pytest.raises(EvidenceError, match=r"missing rows of height at features.7 \(continuous\)"):
        compare(audit(leakage(), regression()), sanitized(leakage(), fewer))


def test_a_continuous_pass_that_its_own_interval_denies_is_refused() -> None:
    with pytest.raises(EvidenceError, match="says PASS for age"):
        compare(audit(continuous(read=0.40, verdict="PASS")), None)
    compare(audit(continuous(read=0.02, verdict="PASS")), None)


def test_a_continuous_attribute_alone_is_told_in_r_squared() -> None:
    (line,) = sentences(audit(continuous()))
    for part in (
        "FAIL: age at features.7", "R² 0.430 (95 % interval 0.410–0.450)", "alone gives 0.010 (−0.005 to 0.025)",
        "answering the mean gives 0", "the excess is 0.420 (0.395 to 0.445)", "limit of 0.05 of R²",
        "on 1,999 test rows",
    ):  # fmt: skip
        assert part in line


def test_without_a_task_the_floor_is_said_to_be_chance() -> None:
    for line, chance in zip(sentences(task_less()), ("10 %", "0"), strict=True):
        assert f"no task was named; the floor is chance, {chance}, so the excess" in line
        assert "label alone" not in line


@pytest.mark.parametrize(("value", "weak"), [(0.94, False), (0.11, True), (0.13, True)])
def test_a_pass_of_attackers_that_cannot_read_the_raw_input_either_is_called_into_question(
    value: float, weak: bool
) -> None:
    found = remeasured(leakage(read=0.13, verdict="PASS"), ceiling=ceiling(value))
    (line,) = sentences(audit(found))
    assert ("a weak attacker cannot be told from no leak" in line) is weak


def test_what_is_kept_has_a_line_of_its_own_and_no_verdict() -> None:
    *_, line, number = sentences(rich(), rich(after=True))
    assert line.startswith(
        "RETAINED: smiling at features.7: 86.0 % balanced accuracy (95 % interval 84.0–88.0); 88.0 %"
    )
    assert "before, a change of −2.0 points (−4.7 to +0.9)" in line, "at most 4.7 points are lost, which is within 5"
    assert number.startswith("OPEN: height at features.7: R² 0.550")


@pytest.mark.parametrize(
    ("value", "half", "told"),
    [
        (7.1, 0.4, "7.10 (6.70–7.50)"),
        (7.1, 3, "7.1 (4.1–10.1)"),
        (52000, 900, "52000 (51100–52900)"),
        (3e-9, 0, "0.00"),
    ],
)
def test_an_error_in_its_own_unit_has_about_two_digits_of_its_uncertainty(value: float, half: float, told: str) -> None:
    assert str(quantity(around(value, half))).startswith(told)


def test_rounding_never_moves_an_excess_of_r_squared_onto_its_limit() -> None:
    figure = excess(Estimate(value=0.01, low=-0.03, high=0.04999), 0.05, in_points=False)
    assert figure.interval == "−0.03000 to 0.04999"


def test_a_sentence_tells_the_bound_on_every_attacker_and_what_was_counted() -> None:
    (line,) = sentences(audit(certified(leakage())))
    assert (
        "No attacker whatever can read more than 61.0 % balanced accuracy, or 1.25 bits, from this layer, each with "
        "95 % confidence: it gives 4 distinct vectors, counted on 8,000 rows."
    ) in line


def test_without_a_certificate_nothing_is_said_of_every_attacker() -> None:
    assert not any("whatever" in line or "distinct" in line for line in sentences(rich()))


def test_a_bound_of_all_there_is_is_not_told_as_a_limit_of_attackers() -> None:
    (line,) = sentences(audit(certified(leakage(), most=1, bits=3.3219, codes=1)))
    assert "No attacker whatever" not in line
    assert "This layer gives 1 distinct vector, counted on 8,000 rows, which bounds no attacker's balanced" in line
    assert "what it tells is at most 3.33 bits, with 95 % confidence." in line


@given(st.floats(0, 1))
def test_a_bound_is_never_told_lower_than_it_is_nor_a_digit_too_high(bound: float) -> None:
    for told in (float(at_most(100 * bound, 1)), float(at_most_percent(bound))):
        assert 100 * bound - 1e-6 <= told < 100 * bound + 0.1 + 1e-6


def test_a_bound_of_a_round_figure_stays_as_it_is() -> None:
    assert [at_most(100 * bound, 1) for bound in (0.61, 0.57, 0.113, 0.29, 1.0)] == [
        "61.0", "57.0", "11.3", "29.0", "100.0",
    ]  # fmt: skip


def test_a_method_is_described_by_its_card_and_without_one_neutrally() -> None:
    own = card("leace")
    assert own is not None and described(own) == own.description
    assert described(None) == "has no description on record"
