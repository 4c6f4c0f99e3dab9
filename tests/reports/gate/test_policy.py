"""A policy: what it asks and the evidence lacks is open, never a pass, in every output."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from support.findings import audit, certified, powered, readable, remeasured, sanitized
from support.gates import called, founded, passing

from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult, Split, read_audit, write_audit
from reports.gate.gate import OPEN, Outcome, gate
from reports.gate.policy import STARTER, Policy, read_policy

STORED = Path(__file__).parents[2] / "support/evidence"


def able(attribute: str = "colour") -> Any:
    """Return a finding that has all that a policy can ask for."""
    return certified(founded(powered(passing(attribute))), most=0.15)


def held(*audits: AuditResult, **asked: Any) -> Outcome:
    """Judge one audit, or the one before it and itself."""
    *before, last = audits
    return gate(last, *before, policy=Policy(**asked), allow_inconclusive=True)


ASKED: dict[str, tuple[Any, Any, str]] = {
    "private": (["colour"], ["colour", "gender"], "private gender"),
    "layers": (["features.7"], ["features.9"], "layer features.9"),
    "attackers": (["mlp"], ["boosted-trees"], "attacker boosted-trees"),
    "data": ("D" * 64, "e" * 64, "data"),
    "rows": (2000, 2001, "rows"),
    "class_rows": (200, 201, "class rows"),
    "groups": (2000, 2001, "groups"),
    "recovery": (0.5, 0.7, "planted leaks"),
    "certificate": (0.15, 0.14, "certificate"),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_a_policy_asks_is_held_where_it_is_there_and_open_where_it_is_not(name: str) -> None:
    enough, too_much, subject = ASKED[name]
    result = audit(able())
    assert gate(result).exit_code == 0
    assert held(result, **{name: enough}).exit_code == 0
    outcome = held(result, **{name: too_much})
    assert outcome.exit_code == OPEN, "--allow-inconclusive does not let it pass"
    (lacking,) = [one for one in outcome.requirements if one.state == "open"]
    assert lacking.subject.startswith(subject) and lacking.reason


def test_evidence_without_planted_leaks_or_a_bound_is_open_where_they_are_asked_for() -> None:
    result = read_audit(STORED / "schema_2/intersection.json")
    assert result.is_older and gate(result, limit=0.4).exit_code == 0
    for asked in (Policy(recovery=0.0), Policy(certificate=True), Policy(certificate=1.0)):
        assert gate(result, limit=0.4, policy=asked).exit_code == OPEN
    assert held(audit(able()), certificate=True).exit_code == 0
    assert gate(result, limit=0.4, policy=Policy(certificate=False, rows=1)).exit_code == 0


def test_groups_that_were_held_and_not_used_do_not_count() -> None:
    found = able()
    drew = audit(found, data=audit().data.model_copy(update={"test": Split(rows=9000, groups=9000), "rows": 20_000}))
    assert found.measurement.test_rows == 2000
    assert held(drew, groups=2000).exit_code == 0
    (lacking,) = [one for one in held(drew, groups=2001).requirements if one.state == "open"]
    assert "At most 2,000 of 2,001 test groups" in lacking.reason


def test_recovery_is_asked_of_the_leaks_that_the_verdict_rests_on() -> None:
    planted = [one.model_copy(update={"read": 0.6 * one.planted}) for one in able().measurement.spikes]
    small = [one.model_copy(update={"read": 0.05 * one.planted}) if one.planted < 0.07 else one for one in planted]
    found = founded(remeasured(able(), spikes=small))
    assert found.decided.verdict == "PASS"
    assert held(audit(found), recovery=0.5).exit_code == 0
    judged_lower = gate(audit(found), limit=0.025, policy=Policy(recovery=0.5), allow_inconclusive=True)
    (lacking,) = [one for one in judged_lower.requirements if one.state == "open"]
    assert "5 % was read, and 50 % is asked" in lacking.reason.replace("\N{NO-BREAK SPACE}", " ")


def test_the_limit_of_a_policy_judges_and_a_larger_one_that_was_typed_is_open() -> None:
    result = audit(able())
    outcome = held(result, limit=0.06)
    assert (outcome.limit_from, outcome.audit.protocol.limit, outcome.exit_code) == ("the policy", 0.06, 0)
    assert gate(result, limit=0.04, policy=Policy(limit=0.06)).exit_code in (0, OPEN)
    typed = gate(result, limit=0.09, policy=Policy(limit=0.06))
    assert (typed.limit_from, typed.exit_code) == ("the call", OPEN)


def test_a_loss_that_a_policy_limits_needs_an_audit_before() -> None:
    result = sanitized(able(), readable())
    for name in ("task_drop", "keep_drop"):
        assert held(result, **{name: 0.1}).exit_code == OPEN
        assert held(audit(able(), readable()), result, **{name: 0.1}).exit_code == 0
    task = result.task
    assert task is not None
    worse = task.model_copy(
        update={
            name: getattr(task, name).model_copy(update={"value": 0.6, "low": 0.59, "high": 0.61})
            for name in ("accuracy", "balanced_accuracy")
        }
    )
    lost = result.model_copy(update={"task": worse})
    assert held(audit(able(), readable()), lost, task_drop=0.1).exit_code == 5


def keys(folder: Path) -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "private.pem").write_bytes(pem)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "public.pem").write_bytes(public)


def test_a_signature_that_a_policy_asks_for_is_by_the_key_that_stands_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    keys(tmp_path / "rules")
    path, rules = tmp_path / "after.json", tmp_path / "rules/policy.toml"
    rules.write_text('[signature]\nkey = "public.pem"\n', encoding="utf-8")
    write_audit(audit(able()), path)
    result = called("check", str(path), "--policy", str(rules), "--allow-inconclusive")
    assert (
        result.exit_code == OPEN and "OPEN: policy, signature: " in result.stdout and "is not signed" in result.stdout
    )
    assert called("sign", str(path), "--key", str(tmp_path / "rules/private.pem")).exit_code == 0
    assert called("check", str(path), "--policy", str(rules)).exit_code == 0
    assert gate(path, policy=rules).exit_code == 0, "a path that was given is where it was read from"
    assert gate(path, audit(able(), sha="c" * 64), policy=rules).exit_code == OPEN, "the one before bears none"
    write_audit(audit(able("gender")), path)
    assert called("check", str(path), "--policy", str(rules)).exit_code == OPEN
    assert gate(audit(able()), policy=rules).exit_code == OPEN, "evidence in memory bears none"


def test_a_key_or_a_library_that_is_not_there_is_an_error_and_nothing_that_the_evidence_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rules = tmp_path / "after.json", tmp_path / "policy.toml"
    write_audit(audit(able()), path)
    rules.write_text('[signature]\nkey = "none.pem"\n', encoding="utf-8")
    result = called("check", str(path), "--policy", str(rules))
    assert result.exit_code == 1 and "none.pem: No such file" in result.stderr
    keys(tmp_path)
    rules.write_text('[signature]\nkey = "public.pem"\n', encoding="utf-8")
    monkeypatch.setitem(sys.modules, "securesystemslib.signer", None)
    result = called("check", str(path), "--policy", str(rules))
    assert result.exit_code == 1 and "irene-audit[sign]" in result.stderr


def test_what_is_lacking_is_named_in_every_output(tmp_path: Path) -> None:
    path, rules = tmp_path / "after.json", tmp_path / "policy.toml"
    write_audit(audit(able()), path)
    rules.write_text("private = ['gender']\nrows = 9000\n", encoding="utf-8")
    words = ("--report", "page.html", "--junit", "check.xml", "--markdown", "check.md")
    files = [word if word.startswith("--") else str(tmp_path / word) for word in words]
    result = called("check", str(path), "--policy", str(rules), "--allow-inconclusive", "--json", *files)
    assert result.exit_code == OPEN
    told = json.loads(result.stdout)
    assert told["exit_code"] == OPEN
    assert {one["subject"] for one in told["requirements"] if one["state"] == "open"} == {
        "private gender", "rows, colour at features.7",
    }  # fmt: skip
    texts = [result.stderr, *((tmp_path / word).read_text(encoding="utf-8") for word in words[1::2])]
    for one in texts:
        assert "private gender" in one and "It was not audited" in one and "2,000 of 9,000 test rows" in one
    assert 'skipped="0"' in texts[2] and 'failures="2"' in texts[2]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("privat = ['a']", "Did you mean 'private'?"),
        ("[signature]\nkye = 'a'", "Unknown key under [signature]"),
        ("[signature]", "signature.key: Field required"),
        ("private = 'a'", "private: Input should be a valid list"),
        ("private = []", "at least 1 item"),
        ("rows = '100'", "rows: Input should be a valid integer"),
        ("rows = true", "rows: Input should be a valid integer"),
        ("rows = 0", "greater than or equal to 1"),
        ("limit = 5", "less than or equal to 1"),
        ("limit = nan", "limit: "),
        ("limit = '0.05'", "limit: Input should be a valid number"),
        ("folder = '/etc'", "Unknown key"),
        ("limit = 0.1\nlimit = 0.2", "no policy in TOML"),
        ("", "it asks for nothing"),
        ("certificate = false", "it asks for nothing"),
        ("\x00", "no policy in TOML"),
        ("a = " + "[" * 5000, "no policy in TOML"),
    ],
)
def test_a_policy_that_says_something_else_is_refused_in_one_line(text: str, told: str, tmp_path: Path) -> None:
    path, rules = tmp_path / "after.json", tmp_path / "policy.toml"
    write_audit(audit(able()), path)
    rules.write_text(text, encoding="utf-8")
    result = called("check", str(path), "--policy", str(rules))
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output
    assert told in result.stderr and len(result.stderr.splitlines()) == 1, result.stderr


def test_the_starter_policy_parses_as_it_is_and_with_everything_in_it(tmp_path: Path) -> None:
    printed = called("check", "--print-policy")
    assert (printed.exit_code, printed.stdout) == (0, STARTER)
    rules = tmp_path / "policy.toml"
    rules.write_text(printed.stdout, encoding="utf-8")
    assert read_policy(rules).private == ["gender"]
    rest = STARTER.partition("\n\n")[2]
    bare = "\n".join(line.removeprefix("# ") for line in rest.splitlines())
    rules.write_text(bare, encoding="utf-8")
    every = read_policy(rules)
    assert every.model_fields_set == {*Policy.model_fields}
    assert every.key == tmp_path / "keys/auditor.pem"


def test_a_policy_in_a_file_is_named_in_the_configuration_too(tmp_path: Path) -> None:
    path, rules, config = tmp_path / "after.json", tmp_path / "policy.toml", tmp_path / "irene.toml"
    write_audit(audit(able()), path)
    rules.write_text("rows = 9000\n", encoding="utf-8")
    config.write_text(f"[check]\npolicy = '{rules}'\n", encoding="utf-8")
    assert called("check", str(path), "--config", str(config)).exit_code == OPEN
    with pytest.raises(EvidenceError, match="Cannot read"):
        gate(audit(able()), policy=tmp_path / "none.toml")
