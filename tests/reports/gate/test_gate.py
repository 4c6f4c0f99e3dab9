"""The gate: green only where every figure is there, every verdict follows from its figures, and all of them pass."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from support.audited import run as audited
from support.findings import (
    audit,
    leakage,
    readable,
    redecided,
    regression,
    remeasured,
    sanitized,
    sanitizing,
)
from support.gates import called, founded, leaking, number, passing, untold, verdicts
from support.sweeps import write_sweep

from audit.errors import EvidenceError, UnknownNameError
from audit.evidence.audit_result import AuditResult, Sidecar, write_audit
from audit.evidence.findings import ENSEMBLE, Estimate, Verdict
from audit.evidence.json_file import digest, write_model
from audit.evidence.sweep_result import Sweep, SweepSetup
from audit.evidence.verdict import judge
from reports.gate.gate import gate
from reports.inputs.integrity import at_limit

ROOT = Path(__file__).parents[3]
Run = Callable[..., Result]


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[AuditResult], Path]:
    """Write evidence as `irene audit` does, and say where."""

    def save(result: AuditResult, name: str = "after.json") -> Path:
        write_audit(result, tmp_path / name)
        return tmp_path / name

    return save


Save = Callable[..., Path]


@pytest.mark.parametrize(
    ("found", "code", "allowed"),
    [
        (("PASS",), 0, 0),
        (("PASS", "PASS"), 0, 0),
        (("PASS", "FAIL"), 3, 3),
        (("INCONCLUSIVE", "PASS"), 4, 0),
        (("INCONCLUSIVE", "FAIL"), 3, 3),
        (("FAIL", "INCONCLUSIVE", "PASS"), 3, 3),
    ],
)
def test_a_leak_goes_before_what_is_open_and_both_before_a_pass(
    found: tuple[Verdict, ...], code: int, allowed: int, saved: Save, run: Run
) -> None:
    path = saved(verdicts(*found))
    assert [one.decided.verdict for one in gate(verdicts(*found)).findings] == list(found)
    result = run("check", path)
    assert result.exit_code == code, result.output
    assert [line.partition(":")[0] for line in result.stdout.splitlines()[:-1]] == ["TASK", *found]
    assert result.stdout.splitlines()[-1].endswith(f"(exit code {code}).")
    result = run("check", path, "--allow-inconclusive")
    assert result.exit_code == allowed
    assert ("lets it pass by --allow-inconclusive" in result.stdout) is (code == 4)


def test_a_shell_sees_the_exit_code(saved: Save) -> None:
    for result, code in ((verdicts("PASS"), 0), (verdicts("FAIL"), 3), (verdicts("INCONCLUSIVE"), 4)):
        command = [sys.executable, "-m", "irene", "check", str(saved(result))]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == code, done.stderr


def test_continuous_attributes_are_judged_as_well(saved: Save, run: Run) -> None:
    for read, code in ((0.02, 0), (0.43, 3), (0.06, 4)):
        assert run("check", saved(audit(passing(), number(read)))).exit_code == code


def test_what_should_stay_readable_stops_nothing(saved: Save, run: Run) -> None:
    result = run("check", saved(audit(passing(), readable(read=0.99), regression())))
    assert result.exit_code == 0
    assert result.stdout.count("KEPT: ") == 2


def test_the_gate_agrees_with_an_audit_that_was_really_made(saved: Save, run: Run) -> None:
    result = audited(task="y", private=["v", "w", "age", "v+w"], layer=["head:input", "encoder"])
    outcome = gate(result)
    given = [one.decided.verdict for one in result.private]
    assert [one.decided.verdict for one in outcome.findings] == given
    assert len(outcome.findings) == 8
    assert run("check", saved(result)).exit_code == 3


def test_the_gate_agrees_with_evidence_of_the_first_schema(run: Run) -> None:
    old = Path(__file__).parents[2] / "support/evidence/audit-1.json"
    refused(run("check", old), "--allow-unsealed reads it, and says so")
    result = run("check", old, "--allow-unsealed")
    assert result.exit_code == 0
    assert "it was read by --allow-unsealed" in result.stderr


@pytest.mark.parametrize(("limit", "code"), [("0.35", 4), ("0.05", 3), ("0.28", 4), ("0", 3)])
def test_another_limit_gives_another_verdict(limit: str, code: int, saved: Save, run: Run) -> None:
    path = saved(audit(leaking()))
    result = run("check", path, "--limit", limit)
    assert result.exit_code == code
    assert "(set by the user)" in result.stdout
    assert "(set by default)" in run("check", path).stdout


FIGURES = st.tuples(st.floats(-0.12, 0.6), st.floats(0, 0.2))
LIMITS = st.just(0.0) | st.floats(1e-4, 0.85)


@given(FIGURES, LIMITS, LIMITS)
@settings(max_examples=100, deadline=None)
def test_a_verdict_at_another_limit_is_the_one_that_an_audit_with_that_limit_gives(
    figures: tuple[float, float], limit: float, other: float
) -> None:
    value, half = figures
    excess = Estimate(value=value, low=value - half, high=value + half)
    found = remeasured(leakage(read=0.12 + value, half=half), excess=excess)
    first = founded(found, limit)
    made = audit(first).model_copy(update={"protocol": with_limit(limit)})
    wanted = first.model_copy(update={"decision": judge(first.measurement, other)})
    assert at_limit(made, other).findings == [wanted]
    assert gate(made, limit=other).findings == (wanted,)


@given(st.floats(-0.1, 0.6), st.integers(50, 20_000), LIMITS | st.just(1.0), LIMITS)
@settings(max_examples=100, deadline=None)
def test_what_the_rows_can_tell_of_an_r_squared_moves_with_the_limit(
    read: float, n: int, limit: float, other: float
) -> None:
    first, told = number(read, limit, n), number(read, other, n).measurement.resolution
    (again,) = at_limit(audit(first, protocol=with_limit(limit)), other).findings
    assert again.measurement.resolution == pytest.approx(told)
    wanted = judge(first.measurement.model_copy(update={"resolution": told}), other)
    assert (again.decided.verdict, again.decided.limit) == (wanted.verdict, other)


def with_limit(limit: float) -> Any:
    return audit().protocol.model_copy(update={"limit": limit, "limit_set_by": "user"})


@pytest.mark.parametrize("typed", ["5", "0,05", "nan", "inf", "-0.05", "5%", "0.05 points", "1.0001", ""])
def test_a_limit_that_is_no_share_is_a_wrong_call_and_says_how_to_write_it(typed: str, saved: Save) -> None:
    result = called("check", str(saved(verdicts("PASS"))), f"--limit={typed}")
    assert result.exit_code == 2
    assert "Write 0.05 for 5 points." in result.stderr
    assert not result.stdout


@pytest.mark.parametrize(("typed", "classes"), [("1", 10), ("0.9", 10), ("0.5", 2)])
def test_a_limit_that_nothing_could_exceed_is_refused(typed: str, classes: int, saved: Save, run: Run) -> None:
    names = tuple(map(str, range(classes)))
    path = saved(audit(founded(leakage(read=0.9, classes=names))))
    result = run("check", path, "--limit", typed)
    assert result.exit_code == 1
    assert f"it must be at least 0, and below the {1 - 1 / classes:g}" in result.stderr
    assert run("check", path, "--limit 0.49").exit_code in (3, 4)


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), -0.01])
def test_no_caller_can_judge_by_a_limit_that_is_none(limit: float) -> None:
    with pytest.raises(EvidenceError, match="it must be at least 0"):
        gate(verdicts("PASS"), limit=limit, allow_inconclusive=True)


def test_a_limit_that_nothing_could_exceed_is_refused_in_the_evidence_too(saved: Save, run: Run) -> None:
    found = founded(leakage(read=0.99, classes=("no", "yes")), 0.5)
    assert run("check", saved(audit(found, protocol=with_limit(0.5)))).exit_code == 1


def put(content: dict[str, Any], value: Any, *place: str | int) -> dict[str, Any]:
    inner: Any = content
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return content


M = "findings", 0, "measurement"
D = "findings", 0, "decision"
SPOILED: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "no private attribute": ("no private attribute was measured", lambda e: e | {"findings": []}),
    "findings are missing": ("findings", lambda e: {k: v for k, v in e.items() if k != "findings"}),
    "a finding without a verdict": ("a private attribute has a decision", lambda e: put(e, None, *D)),
    "a number for null": ("low", lambda e: put(e, None, *M, "excess", "low")),
    "null for the excess": ("excess", lambda e: put(e, None, *M, "excess")),
    "NaN in the interval": ("NaN", lambda e: put(e, float("nan"), *M, "excess", "low")),
    "infinity in the interval": ("Infinity", lambda e: put(e, float("-inf"), *M, "excess", "high")),
    "NaN for the limit": ("NaN", lambda e: put(e, float("nan"), *D, "limit")),
    "nan in words": ("low", lambda e: put(e, "nan", *M, "excess", "low")),
    "-inf in words": ("high", lambda e: put(e, "-inf", *M, "excess", "high")),
    "nan for what the rows can tell": ("resolution", lambda e: put(e, "nan", *M, "resolution")),
    "less than nothing for what the rows can tell": (
        "what its rows can tell", lambda e: put(e, -1.0, *M, "resolution"),
    ),
    "an interval upside down": ("ends before it begins", lambda e: put(e, -0.5, *M, "excess", "high")),
    "an excess of other figures": (
        "what was read less the floor",
        lambda e: put(e, {"value": 0.1, "low": 0.1, "high": 0.9}, *M, "floor", "balanced_accuracy"),
    ),
    "no row": ("at least 1", lambda e: put(e, [], *M, "classes")),
    "no row of a class": ("none of a class", lambda e: put(e, 0, *M, "classes", 3, "test")),
    "no resample": ("0 resamples are too few", lambda e: put(e, 0, "protocol", "bootstrap")),
    "one class": ("classes is not", lambda e: put(e, e["findings"][0]["measurement"]["classes"][:1], *M, "classes")),
    "no attacker": ("no attacker tried", lambda e: put(e, [], *M, "attackers")),
    "an attacker without figures": (
        "is missing", lambda e: put(e, {}, *M, "attackers", 0, "figures"),
    ),
    "a pass of an attacker that could not run": (
        "says PASS, and its own figures give INCONCLUSIVE",
        lambda e: put(put(e, {}, *M, "attackers", 2, "figures"), "no memory", *M,
            "attackers", 2, "failure"),
    ),
    "a pass of too few rows": (
        "says PASS, and its own figures give INCONCLUSIVE", lambda e: put(e, 0.2, *M, "resolution"),
    ),
    "a pass typed over a leak": (
        "the interval of excess is not that of its draws",
        lambda e: put(put(put(e, {"value": 0.3, "low": 0.2, "high": 0.4}, *M, "excess"),
            0.42, *M, "figures", "balanced_accuracy", "value"), 0.43, *M, "figures", "balanced_accuracy", "high"),
    ),
    "another limit than the audit's": ("its limit is 0.4", lambda e: put(e, 0.4, *D, "limit")),
    "a limit in points": ("limit", lambda e: put(put(e, 5, *D, "limit"), 5, "protocol", "limit")),
    "the same twice": ("stands there twice", lambda e: put(e, e["findings"] * 2, "findings")),
    "a verdict that is none": ("verdict", lambda e: put(e, "pass", *D, "verdict")),
    "a schema of the future": ("schema_version", lambda e: e | {"schema_version": "99"}),
    "a schema that is a number": ("schema_version", lambda e: e | {"schema_version": 2}),
    "a field of the future": ("waived", lambda e: e | {"waived": True}),
    "no object": ("no JSON object", lambda e: [e]),
    "nothing": ("no JSON object", lambda e: None),
    "an empty object": ("Field required", lambda e: {}),
}  # fmt: skip
"""What is done to evidence that passes, and what the gate says of it."""


@pytest.mark.parametrize("name", SPOILED)
def test_the_gate_is_never_green_on_spoiled_evidence(name: str, saved: Save, run: Run) -> None:
    told, spoil = SPOILED[name]
    path = saved(verdicts("PASS"))
    content = spoil(json.loads(path.read_text(encoding="utf-8")))
    if isinstance(content, dict) and content:
        content["digest"] = digest(content)  # whoever spoils it on purpose seals it again
    path.write_text(json.dumps(content), encoding="utf-8")
    refused(run("check", path, "--allow-inconclusive"), told)


def refused(result: Result, told: str) -> None:
    """Expect exit code 1 and one line that says why."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), "a traceback"
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not result.stdout


def test_the_gate_is_never_green_on_a_committee_of_nobody(saved: Save, run: Run) -> None:
    found = passing()
    joined = found.measurement.attackers[0].model_copy(update={"name": ENSEMBLE})
    refused(run("check", saved(audit(remeasured(found, attackers=[joined])))), "no attacker tried")


def test_the_gate_is_never_green_on_an_attacker_that_could_not_run(saved: Save, run: Run) -> None:
    made = leakage(read=0.13)
    found = made.model_copy(update={"decision": judge(made.measurement, 0.05)})
    result = run("check", saved(audit(found)))
    assert result.exit_code == 4
    assert "1 of 9 attackers could not run" in result.stdout


@pytest.mark.parametrize("cut", [0, 1, 100, -2])
def test_the_gate_is_never_green_on_a_file_that_was_cut(cut: int, saved: Save, run: Run) -> None:
    path = saved(verdicts("PASS"))
    path.write_bytes(path.read_bytes()[:cut])
    refused(run("check", path), "is not an audit's evidence")


def test_the_gate_is_never_green_on_evidence_that_was_edited(saved: Save, run: Run) -> None:
    path = saved(verdicts("PASS"))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"test": 200', '"test": 900', 1), encoding="utf-8")
    refused(run("check", path), "was changed after it was written")
    path.write_text(json.dumps({k: v for k, v in json.loads(text).items() if k != "digest"}), encoding="utf-8")
    refused(run("check", path), "carries no digest")
    path.write_text(json.dumps(json.loads(text)), encoding="utf-8")
    assert run("check", path).exit_code == 0, "its layout may change"


def sweep() -> Sweep:
    made = audit()
    setup = SweepSetup(
        checkpoint="b" * 64, architecture="models:ConvNet", data="digits", options={}, group=None, audit_rows=9,
        audit_labels="c" * 64, train_rows=9, train_labels="d" * 64, task="digit", private=["colour"], keep=[],
        layer="features.7", pool="mean", attackers=["logistic"], limit=0.05, seed=0, recipe={},
    )  # fmt: skip
    return Sweep(
        setup=setup, checkpoint=made.checkpoint, data=made.data, protocol=made.protocol, task_chance=0.1,
        warnings=[], calls=[], points=[],
    )  # fmt: skip


def test_the_gate_is_never_green_on_evidence_of_another_kind(saved: Save, run: Run, tmp_path: Path) -> None:
    write_sweep(sweep(), tmp_path / "sweep.json")
    write_model(Sidecar(sha256="a" * 64, sanitizing=sanitizing()), tmp_path / "clean.safetensors.json")
    outcome = run("check", saved(verdicts("PASS")), "--json", "--junit", tmp_path / "check.xml")
    (tmp_path / "outcome.json").write_text(outcome.stdout, encoding="utf-8")
    (tmp_path / "report.html").write_text("<!doctype html><title>PASS</title>", encoding="utf-8")
    for name in ("sweep.json", "clean.safetensors.json", "outcome.json", "report.html", "check.xml"):
        result = run("check", tmp_path / name)
        assert (name, result.exit_code, result.stdout) == (name, 1, "")
    assert run("check", tmp_path / "missing.json").exit_code == 1
    assert run("check", tmp_path).exit_code == 2, "a folder"
    assert run("check").exit_code == 2, "nothing"


def test_an_attribute_that_was_not_audited_is_an_error_that_names_the_nearest(saved: Save, run: Run) -> None:
    path = saved(audit(passing(), passing("gender", classes=("f", "m")), readable("smiling")))
    assert run("check", path, "--private colour,gender").exit_code in (0, 4)
    refused(run("check", path, "--private color"), "Did you mean 'colour'?")
    refused(run("check", path, "--private gender,smiling"), "Unknown private attribute 'smiling'")
    for empty in ("--private=", "--private=,"):
        assert run("check", path, empty).exit_code == 2


def test_one_attribute_may_be_named_by_its_name_alone() -> None:
    assert gate(audit(passing()), private="colour").exit_code == 0
    with pytest.raises(UnknownNameError, match="Unknown private attribute 'gender'"):
        gate(audit(passing()), private="gender")


def test_an_attribute_named_by_a_hostile_string_is_told_in_one_line() -> None:
    made = audit(passing("\x1b[31mred\n" * 900))
    with pytest.raises(UnknownNameError) as error:
        gate(made, private=["gender\r\n\u202e"])
    assert len(str(error.value)) < 400
    assert str(error.value).isprintable()


def test_before_is_told_and_stops_nothing(saved: Save, run: Run) -> None:
    before, after = saved(audit(leaking()), "before.json"), saved(sanitized(passing()))
    assert run("check", before).exit_code == 3
    result = run("check", after, "--before", before)
    assert result.exit_code == 0
    assert "any more" in result.stdout and "before;" in result.stdout


def test_before_is_held_to_the_same_limit_and_to_the_same_proof(saved: Save, run: Run) -> None:
    before = saved(audit(leaking()), "before.json")
    made = sanitized(founded(leakage(read=0.13), 0.1), protocol=with_limit(0.1))
    refused(run("check", saved(made), "--before", before), "they differ in: limit")
    assert run("check", saved(made), "--before", before, "--limit 0.06").exit_code == 0
    refused(run("check", before, "--before", before), "the same checkpoint")
    wrong = saved(audit(leakage(read=0.40, verdict="INCONCLUSIVE")), "wrong.json")
    refused(run("check", saved(sanitized(passing())), "--before", wrong), "(before) cannot be judged: colour at")


def test_a_weak_or_doubtful_pass_is_noted_on_stderr(saved: Save, run: Run) -> None:
    weak = passing()
    assert weak.measurement.ceiling is not None
    blind = weak.measurement.ceiling.model_copy(update={"figure": Estimate(value=0.1, low=0.08, high=0.12)})
    result = run("check", saved(audit(remeasured(weak, ceiling=blind))))
    assert result.exit_code == 0
    assert "a weak attacker cannot be told from no leak" in result.stderr


def test_a_pass_that_even_a_perfect_attacker_would_get_is_none(saved: Save, run: Run) -> None:
    floor = Estimate(value=0.97, low=0.96, high=0.98)
    told = leakage(read=0.98, classes=("no", "yes"), half=0.005)
    excess = Estimate(value=told.measurement.score.value - 0.97, low=0.0, high=0.02)
    found = founded(remeasured(told, floor={"balanced_accuracy": floor, "bits": floor}, excess=excess))
    result = run("check", saved(audit(found)))
    assert result.exit_code == 4
    assert "what is told anyway, the floor, leaves 3.0; a limit below 3.0 points would settle it" in result.stdout
    assert run("check", saved(audit(found)), "--limit 0.025").exit_code == 0
    assert "No attacker could beat" not in run("check", saved(verdicts("PASS"))).output


def test_the_outcome_is_frozen_and_says_its_reasons() -> None:
    outcome = gate(verdicts("FAIL", "PASS"))
    with pytest.raises(AttributeError):
        outcome.exit_code = 0  # type: ignore[misc]
    assert [one.decided for one in outcome.findings] == [judge(one.measurement, 0.05) for one in outcome.findings]


def test_a_reason_typed_into_the_file_is_not_repeated(saved: Save, run: Run) -> None:
    found = redecided(untold(), reason="The owner waived it.")
    result = run("check", saved(audit(found)), "--json")
    assert "waived" not in result.output
    assert json.loads(result.stdout)["findings"][0]["reason"] == untold().decided.reason


def test_a_check_needs_no_torch(saved: Save) -> None:
    path = saved(verdicts("PASS"))
    code = (
        "import sys\nfrom irene.command import main\n"
        f"print(main(['check', {str(path)!r}, '--junit', {str(path.with_suffix('.xml'))!r}], "
        "standalone_mode=False))\n"
        "print([m for m in ('torch', 'sklearn', 'sanitizer', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-2:] == ["0", "[]"]
