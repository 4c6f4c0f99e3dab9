"""The comparison of two audits and its words: like with like, and no verdict better than its figures."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import EvidenceError
from audit.evidence import (
    AttackerResult,
    AuditResult,
    Checkpoint,
    ClassRows,
    DataRows,
    Epoch,
    Estimate,
    Leakage,
    NullBand,
    Protocol,
    Sanitizing,
    Split,
    Task,
    Verdict,
    write_model,
)
from reports.commands import report
from reports.comparison import compare
from reports.figures import bits, excess, one_line, share
from reports.wording import sentences

VERSIONS = {"torch": "2.10.0", "scikit-learn": "1.7.2"}
VIEWS = ["standardised", "whitened"]
LAYER = "features.7"
ATTACKERS = ["logistic", "mlp", "rbf", "knn", "trees"]


def around(value: float, half: float = 0.02) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half)


def leakage(
    attribute: str = "colour",
    read: float = 0.40,
    verdict: Verdict = "FAIL",
    *,
    layer: str = LAYER,
    half: float = 0.02,
    classes: tuple[str, ...] = tuple("0123456789"),
    reason: str = "The whole interval of the excess lies above the limit.",
) -> Leakage:
    chance = 1 / len(classes)
    floor = around(chance + 0.02, 0.01)
    attackers = [
        AttackerResult(
            name=name, view=view, select=read - 0.01 * i, balanced_accuracy=around(read - 0.01 * i, half),
            bits=around(1.2 - 0.3 * i, 0.08),
        )
        for i, (name, view) in enumerate(product(("mlp", "logistic", "knn", "trees"), VIEWS))
    ]  # fmt: skip
    failed = AttackerResult(
        name="rbf",
        view="standardised",
        select=None,
        balanced_accuracy=None,
        bits=None,
        failure="out of memory",
    )
    over = read - floor.value
    return Leakage(
        attribute=attribute, layer=layer, width=128,
        classes=[ClassRows(name=name, train=500, select=100, test=200) for name in classes],
        chance=chance, entropy=3.32, attackers=[*attackers, failed], strongest="mlp on standardised",
        balanced_accuracy=around(read, half), bits=around(1.2, 0.08), floor=floor,
        floor_bits=around(0.05, 0.02),
        null=NullBand(mean=chance, low=chance - 0.014, high=chance + 0.014, refits=20),
        excess=around(over, half + 0.003), resolution=0.021, limit=0.05, verdict=verdict, reason=reason,
    )  # fmt: skip


def audit(*found: Leakage, sha: str = "b" * 64, made: Sanitizing | None = None, **changes: Any) -> AuditResult:
    result = AuditResult(
        created="2026-07-04T09:30:00Z", command="irene audit model.pt --layer features.7 -o out/before.json",
        checkpoint=Checkpoint(
            file="model.pt", sha256=sha, architecture="models:ConvNet", parameters=1_234_567, sanitizing=made
        ),
        data=DataRows(
            name="biased_mnist", options={"rho": 0.1, "part": "test"}, rows=8000, fingerprint="d" * 64,
            group="source image", train=Split(rows=5000, groups=5000), select=Split(rows=1000, groups=1000),
            test=Split(rows=2000, groups=2000),
        ),
        task=Task(
            name="digit", classes=list("0123456789"), accuracy=around(0.962, 0.008),
            balanced_accuracy=around(0.961, 0.009), chance=0.114,
        ),
        protocol=Protocol(
            seed=0, attackers=ATTACKERS, views=VIEWS, bootstrap=1000, null_refits=20,
            fit_rows=20000, pool="mean", limit=0.05, limit_set_by="default",
        ),
        leakage=list(found) or [leakage()], warnings=["One attacker did not run."],
        versions=VERSIONS, device="cpu",
    )  # fmt: skip
    return result.model_copy(update=changes)


def sanitizing(head: float | None = 0.10, parent: str = "b" * 64, layer: str = LAYER) -> Sanitizing:
    return Sanitizing(
        method="irene", settings={"alpha": 0.5, "seed": 0}, layer=layer, parent_sha256=parent,
        trace=[Epoch(task_loss=0.3, penalty={"colour": 0.2})],
        head_accuracy={"colour": head}, head_rows=1500, data_fingerprint="e" * 64, versions=VERSIONS,
    )  # fmt: skip


def sanitized(*found: Leakage, head: float | None = 0.10, parent: str = "b" * 64, **changes: Any) -> AuditResult:
    return audit(*found, sha="a" * 64, made=sanitizing(head, parent), **changes)


def test_a_pair_holds_before_and_after_of_one_attribute_at_one_layer() -> None:
    before = audit(leakage(read=0.58), leakage("age", 0.30))
    after = sanitized(leakage("age", 0.28), leakage(read=0.41))
    pairs = compare(before, after).pairs
    assert [[one.leakage.attribute for one in pair.readings] for pair in pairs] == [
        ["colour"] * 2,
        ["age"] * 2,
    ]
    assert [one.leakage.balanced_accuracy.value for one in pairs[0].readings] == [0.58, 0.41]


UNLIKE: dict[str, AuditResult] = {
    "data fingerprint": sanitized(data=audit().data.model_copy(update={"fingerprint": "f" * 64})),
    "test split": sanitized(data=audit().data.model_copy(update={"test": Split(rows=9, groups=9)})),
    "seed (0 before, 7 after)": sanitized(protocol=audit().protocol.model_copy(update={"seed": 7})),
    "attackers": sanitized(protocol=audit().protocol.model_copy(update={"attackers": ["logistic"]})),
    "limit": sanitized(protocol=audit().protocol.model_copy(update={"limit": 0.5})),
    "task": sanitized(task=audit().task.model_copy(update={"name": "parity"})),
    "attributes and layers": sanitized(leakage("age")),
    "features.9": sanitized(leakage(layer="features.9")),
    "class counts": sanitized(leakage(classes=("yes", "no"))),
    "schema": sanitized(schema_version="2"),
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


def test_negative_information_shows_as_none() -> None:
    assert str(bits(around(-0.2, 0.05))) == "0.00 bits (0.00–0.00)"


@given(st.text(max_size=300))
@settings(max_examples=50, deadline=None)
def test_a_name_of_any_kind_stays_on_one_short_line(name: str) -> None:
    line = one_line(name)
    assert len(line) <= 80
    assert len(line.splitlines()) <= 1
    assert not {"\x1b", "\u202e", "\u2066"} & set(line)


def test_the_command_writes_the_page_and_says_the_verdicts(tmp_path: Path) -> None:
    before, after, out = tmp_path / "before.json", tmp_path / "after.json", tmp_path / "new" / "report.html"
    write_model(audit(), before)
    write_model(sanitized(), after)
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
