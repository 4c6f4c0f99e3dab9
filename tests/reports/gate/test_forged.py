"""What is forged in evidence and sealed again is refused wherever something else in the evidence says otherwise."""

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from support.gates import called

from audit.evidence.audit_result import AuditResult
from audit.evidence.checks.contradictions import contradictions
from audit.evidence.json_file import digest
from audit.evidence.upgrades import OLDER
from reports.gate.gate import MOST_OF_ITS_OWN

TESTS = Path(__file__).parents[2]
OLD = TESTS / "support/evidence"
REAL = [*sorted((OLD / "schema_2").glob("*.json")), *(TESTS / f"golden/{name}.json" for name in (
    "classes", "quantity", "kept", "embeddings", "intersection", "sanitized",
))]  # fmt: skip
Content = dict[str, Any]


def content_of(path: Path) -> Content:
    content: Content = json.loads(path.read_text(encoding="utf-8"))
    return content


def written(folder: Path, content: Content, *, sealed: bool = True) -> Path:
    """Write evidence, under a digest that is right."""
    path = folder / "forged.json"
    path.write_text(json.dumps(content | ({"digest": digest(content)} if sealed else {})), encoding="utf-8")
    return path


def refused(result: Result, told: str = "") -> None:
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), "a traceback"
    assert len(result.stderr.splitlines()) == 1 and told in result.stderr, result.stderr


@pytest.mark.parametrize("path", REAL, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_real_evidence_contradicts_itself(path: Path, tmp_path: Path) -> None:
    assert called("check", str(path), "--limit", "0.07").exit_code in (0, 3, 4, 5)
    assert called("report", str(path), "-o", str(tmp_path / "page.html")).exit_code == 0


def set_back(content: Content, version: str) -> Content:
    return {key: value for key, value in content.items() if key != "digest"} | {"schema_version": version}


COMMANDS: list[Callable[[Path, Path], tuple[str, ...]]] = [
    lambda path, _: ("check", str(path), "--allow-inconclusive", "--limit", "0.4"),
    lambda path, out: ("report", str(path), "-o", str(out / "page.html")),
    lambda path, _: ("verify", str(path)),
]


@pytest.mark.parametrize("command", COMMANDS, ids=["check", "report", "verify"])
@pytest.mark.parametrize("old", ["golden/sanitized.json", "support/evidence/schema_2/sanitized.json"])
@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_a_schema_set_back_does_not_do_without_its_digest(
    old: str, version: str, command: Callable[[Path, Path], tuple[str, ...]], tmp_path: Path
) -> None:
    path = written(tmp_path, set_back(content_of(TESTS / old), version), sealed=False)
    for more in ((), ("--allow-unsealed",)):
        result = called(*command(path, tmp_path), *more)
        assert result.exit_code == 1, result.output
    assert not (tmp_path / "page.html").exists()


def test_evidence_without_a_digest_is_read_only_where_that_is_asked_for_and_every_output_says_so(
    tmp_path: Path,
) -> None:
    old = str(OLD / "audit-1.json")
    refused(called("check", old), "--allow-unsealed reads it")
    refused(called("report", old, "-o", str(tmp_path / "page.html")), "--allow-unsealed reads it")
    result = called(
        "check", old, "--allow-unsealed", "--json", "--report", str(tmp_path / "page.html"),
        "--junit", str(tmp_path / "check.xml"), "--markdown", str(tmp_path / "check.md"),
    )  # fmt: skip
    assert result.exit_code == 0
    outputs = [result.stdout, result.stderr, *((tmp_path / name).read_text(encoding="utf-8") for name in (
        "page.html", "check.xml", "check.md"))]  # fmt: skip
    assert all("read by --allow-unsealed" in one.replace("\\", "") for one in outputs)


def test_a_sweep_needs_its_digest_too(tmp_path: Path) -> None:
    content = content_of(TESTS / "golden/sweep.json")
    page = ("-o", str(tmp_path / "page.html"))
    assert called("report", str(written(tmp_path, content)), *page).exit_code == 0
    path = written(tmp_path, {key: value for key, value in content.items() if key != "digest"}, sealed=False)
    refused(called("report", str(path), *page, "--allow-unsealed"), "carries no digest")
    path = written(tmp_path, set_back(content, "1"), sealed=False)
    refused(called("report", str(path), *page), "--allow-unsealed reads it")
    assert called("report", str(path), *page, "--allow-unsealed").exit_code == 0
    assert "read by --allow-unsealed" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda text: text.replace('"value": ', '"value": 0.1, "value": ', 1), "stands twice"),
        (lambda text: text.replace('"bootstrap": 1000', '"bootstrap": "1000"', 1), "valid integer"),
        (lambda text: text.replace('"limit": 0.07', '"limit": "0.07"', 1), "valid number"),
        (lambda text: text.replace('"bootstrap": 1000', '"bootstrap": true', 1), "valid integer"),
        (lambda text: text.replace('"limit": 0.07', '"limit": true', 1), "valid number"),
        (lambda text: text.replace('"limit": 0.07', '"limit": NaN', 1), "NaN is no figure"),
        (lambda text: text.replace('"limit": 0.07', '"limit": -1e999', 1), "is no figure"),
        (lambda text: text.replace('"seed": 0', '"seed": ' + "9" * 400, 1), "is no count"),
        (lambda text: text.replace('"bootstrap": 1000', '"bootstrap": 1000.0', 1), "valid integer"),
        (lambda text: text.replace('"seed": 0', '"seed": ' + "[" * 100_000, 1), "nested too deep"),
    ],
)
@pytest.mark.parametrize("command", COMMANDS, ids=["check", "report", "verify"])
def test_what_json_leaves_open_is_refused_in_one_line(
    spoil: Callable[[str], str], told: str, command: Callable[[Path, Path], tuple[str, ...]], tmp_path: Path
) -> None:
    text = (TESTS / "golden/sanitized.json").read_text(encoding="utf-8")
    path = tmp_path / "odd.json"
    path.write_text(spoil(text), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text
    refused(called(*command(path, tmp_path)), told)


def test_a_limit_that_evidence_sets_itself_is_named_and_a_large_one_is_refused(tmp_path: Path) -> None:
    result = called("check", str(TESTS / "golden/sanitized.json"))
    assert "at the limit that the audit set itself" in result.stdout
    content = content_of(TESTS / "golden/classes.json")
    content["protocol"] |= {"limit": 0.89, "limit_set_by": "user"}
    for one in content["findings"]:
        one["decision"] |= {"limit": 0.89, "verdict": "PASS"}
    assert MOST_OF_ITS_OWN < 0.89
    refused(called("check", str(written(tmp_path, content))), "Say with --limit what you allow")


def numbers(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where each number stands, of lists the first and the last."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from numbers(one, (*place, key))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1}) if value else ():
            yield from numbers(value[index], (*place, index))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield place


def changed(content: Content, place: tuple[Any, ...], by: float) -> Content:
    """Return evidence with one number moved, a count by as many hundreds."""
    new = deepcopy(content)
    inner: Any = new
    for step in place[:-1]:
        inner = inner[step]
    old = inner[place[-1]]
    inner[place[-1]] = max(0, old + round(100 * by)) if isinstance(old, int) else old + by
    return new


DECIDING = ("figures", "floor", "excess", "resolution", "classes", "baseline", "entropy", "certificate", "curves")
"""What a verdict rests on."""
BESIDE = {"auroc", "bits", "given_task", "mae"}
"""Figures that no verdict rests on."""
SIGNED = re.compile(
    r"(classes\.\d+\.select|curves\.\d+\.points\.0\..*|certificate\.(bits|codes|independent\.\d+|several\.\d+\.releases))$"
)
"""What follows from nothing else in the evidence: only a signature tells of an edit of it."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["classes", "kept", "sanitized", "quantity"])
def test_no_figure_that_a_verdict_rests_on_can_be_moved_alone(name: str) -> None:
    content = content_of(TESTS / f"golden/{name}.json")
    content["findings"] = content["findings"][:1]
    unseen = set()
    for place in numbers(content):
        name_of = ".".join(map(str, place))
        is_end = place[-1] in ("low", "high")  # one moved outwards claims less
        if place[0] != "findings" or not {*place} & {*DECIDING} or "draws" in place or {*place} & BESIDE or is_end:
            continue
        for by in (-0.3, 0.3):
            forged = changed(content, place, by)
            try:
                found = AuditResult.model_validate(forged, strict=True)
            except ValueError:
                continue
            if forged != content and next(contradictions(found), None) is None:
                unseen.add(name_of)
    assert {one for one in unseen if not SIGNED.search(one)} == set()


@pytest.mark.parametrize("name", ["classes", "kept", "sanitized", "quantity"])
def test_no_interval_of_an_excess_can_be_narrowed_or_moved_below_the_limit(name: str) -> None:
    content = content_of(TESTS / f"golden/{name}.json")
    for end, by in (("high", -0.05), ("low", 0.05), ("high", -0.01), ("low", 0.01)):
        found = AuditResult.model_validate(changed(content, ("findings", 0, "measurement", "excess", end), by))
        assert next(contradictions(found), None) is not None, (end, by)


def test_a_headline_below_its_attackers_and_a_bound_below_what_was_read_are_refused(tmp_path: Path) -> None:
    content = content_of(TESTS / "golden/sanitized.json")
    content["findings"][0]["certificate"] |= {"balanced_accuracy": 0.6, "several": []}
    refused(called("check", str(written(tmp_path, content)), "--limit", "0.07"), "above the bound on every attacker")
    content = content_of(OLD / "schema_2/classes.json")
    for one in content["leakage"]:
        one |= {
            "balanced_accuracy": {"value": 0.12, "low": 0.1, "high": 0.14},
            "excess": {"value": 0.12 - one["floor"]["value"], "low": -0.02, "high": 0.02},
            "verdict": "PASS",
        }
        for attacker in one["attackers"]:
            attacker["select"] = 0.12
        del one["balanced_accuracy_draws"], one["excess_draws"]
    refused(called("check", str(written(tmp_path, content))), "clearly more than")


def measured_at(content: Content, place: int = 0) -> Any:
    return content["findings"][place]["measurement"]


FORGED: dict[str, tuple[str, Callable[[Content], object], str]] = {
    "no draws": ("classes", lambda one: measured_at(one).update(draws={}), "no draws of balanced_accuracy"),
    "empty draws": ("kept", lambda one: measured_at(one)["draws"].update(excess=[]), "no draws of excess"),
    "no planted leaks": ("classes", lambda one: measured_at(one).update(spikes=[]), "no linear leak of 0.05"),
    "no quadratic leaks": ("kept", lambda one: measured_at(one)["spikes"].pop(), "no quadratic leak of 0.14"),
    "a small leak": ("kept", lambda one: measured_at(one)["spikes"][1].update(planted=0.06), "is not the 0.14"),
    "other readers": ("kept", lambda one: measured_at(one)["spikes"][0]["attackers"].pop(), "could see it"),
    "read too much": ("kept", lambda one: measured_at(one)["spikes"][0].update(read=0.5), "more was read than"),
    "no curve of a stream": ("embeddings", lambda one: measured_at(one)["curves"].pop(), "no learning curve of mlp"),
    "a curve of one step": (
        "kept", lambda one: measured_at(one)["curves"][0]["points"][-2].update(rows=400), "does not double its rows",
    ),
    "a view left out": (
        "kept", lambda one: measured_at(one)["attackers"].pop(3), "did not try on whitened features",
    ),
    "no refits": ("kept", lambda one: measured_at(one)["null"].update(refits=0), "its null is of 0 refits"),
    "a null beside": ("kept", lambda one: measured_at(one)["null"].update(mean=0.9, low=0.9, high=0.9), "far from"),
    "a floor without a task": ("classes", lambda one: one.update(task=None), "its floor is not a guess"),
    "a finding taken out": ("quantity", lambda one: one["findings"].pop(), "luck was asked for as private"),
    "many codes": ("sanitized", lambda one: one["findings"][0]["certificate"].update(codes=900), "no finite code"),
    "no bits": ("sanitized", lambda one: one["findings"][0]["certificate"].update(bits=0.0), "bound of 0 bits"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORGED)
def test_what_the_protocol_says_was_done_cannot_be_taken_out_or_be_something_else(kind: str, tmp_path: Path) -> None:
    name, forge, told = FORGED[kind]
    content = content_of(TESTS / f"golden/{name}.json")
    forge(content)
    found = AuditResult.model_validate(content, strict=True)
    assert any(told in fault for fault in contradictions(found)), list(contradictions(found))
    refused(called("report", str(written(tmp_path, content)), "-o", str(tmp_path / "page.html")))


def test_a_sentence_among_the_warnings_makes_no_evidence_an_older_one(tmp_path: Path) -> None:
    content = content_of(TESTS / "golden/kept.json")
    content["warnings"].append(OLDER)
    for one in content["findings"]:
        one["measurement"] |= {"curves": [], "spikes": [], "room": None}
    refused(called("check", str(written(tmp_path, content)), "--limit", "0.4"), "it holds no learning curve")


def exposed_at(content: Content) -> Any:
    return measured_at(content)["exposure"]


NOTHING: dict[str, tuple[Callable[[Content], object], str]] = {
    "no view": (lambda one: one["protocol"].update(views=[]), "at least 1 item"),
    "leaks of nothing": (lambda one: [each.update(planted=0.0) for each in measured_at(one)["spikes"]], "of nothing"),
    "a leak never drawn": (lambda one: measured_at(one)["spikes"][0].update(draws=0), "never drawn"),
    "a guess below 0": (lambda one: measured_at(one)["baseline"].update(balanced_accuracy=-1.0), "chance among"),
    "an edge far off": (
        lambda one: one["findings"][0]["densities"]["scores"][0]["edges"].__setitem__(1, 1e308), "beyond all scores",
    ),
    "another class": (lambda one: exposed_at(one)["recalls"][0].update(name="nobody"), "recalls are not of its"),
    "nobody found": (lambda one: exposed_at(one)["found"][0].update(wanted="nobody"), "not of both classes"),
    "no false alarms": (
        lambda one: [each.update(false_positive_rate=0.0) for each in exposed_at(one)["found"]], "at no false alarms",
    ),
    "more than all": (lambda one: exposed_at(one)["found"][0]["rate"].update(value=2.0, high=3.0), "who is read"),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=["check", "report", "verify"])
@pytest.mark.parametrize("kind", NOTHING)
def test_what_a_page_or_a_check_would_divide_by_is_refused_where_it_is_nothing(
    kind: str, command: Callable[[Path, Path], tuple[str, ...]], tmp_path: Path
) -> None:
    forge, told = NOTHING[kind]
    content = content_of(TESTS / "golden/kept.json")
    forge(content)
    result = called(*command(written(tmp_path, content), tmp_path))
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.exception
    assert told in result.output


@pytest.mark.parametrize("field", ["floor", "excess", "balanced_accuracy"])
def test_no_figure_of_a_sweep_can_be_moved_alone(field: str, tmp_path: Path) -> None:
    content = content_of(TESTS / "golden/sweep.json")
    content["points"][0]["figures"]["read"][0][field]["value"] += 0.01
    refused(called("report", str(written(tmp_path, content)), "-o", str(tmp_path / "page.html")), "less the floor")


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (("read", "chance"), 5e-324),
        (("read", "test_rows"), 0),
        (("kept", "auroc", "low"), -1e308),
        (("kept", "auroc", "high"), 1e308),
    ],
)
def test_no_figure_of_a_sweep_is_beyond_what_a_page_can_compute_with(
    place: tuple[str, ...], change: float, tmp_path: Path
) -> None:
    content = content_of(TESTS / "golden/sweep.json")
    role, *way, last = place
    inner = content["points"][1]["figures"][role][0]
    for step in way:
        inner = inner[step]
    inner[last] = change
    refused(called("report", str(written(tmp_path, content)), "-o", str(tmp_path / "page.html")), "cannot be shown")


def test_an_attacker_taken_out_or_a_curve_taken_out_is_missed(tmp_path: Path) -> None:
    content = content_of(TESTS / "golden/classes.json")
    measurement = content["findings"][1]["measurement"]
    whole = measurement["attackers"]
    measurement["attackers"] = [one for one in whole if one["name"] != "knn"]
    refused(called("check", str(written(tmp_path, content))), "knn was asked for")
    measurement |= {"attackers": whole, "curves": []}
    refused(called("check", str(written(tmp_path, content))), "it holds no learning curve")
