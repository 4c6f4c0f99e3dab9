"""Evidence of schemas 1 and 2 is read into findings, figure by figure, judged alike, and mistakes in it are named."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from audit.errors import EvidenceError
from audit.evidence.audit_result import read_audit, write_audit
from audit.evidence.verdict import judge

TESTS = Path(__file__).parents[2]
STORED = TESTS / "support/evidence"
FIRST = STORED / "audit-1.json"
OLD = [*sorted((STORED / "schema_2").glob("*.json")), FIRST]
LISTS = {"leakage": "private", "continuous": "private", "kept": "retained", "kept_continuous": "retained"}


def content_of(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def entries(content: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(key, one) for key in LISTS for one in content.get(key, [])]


def test_both_older_schemas_and_all_four_lists_are_among_the_files() -> None:
    contents = [content_of(path) for path in OLD]
    assert {content["schema_version"] for content in contents} == {"1", "2"}
    assert {key for content in contents for key, _ in entries(content)} == {*LISTS}
    assert len(OLD) == 7


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_every_old_finding_has_its_place_and_its_figures(path: Path) -> None:
    result, old = read_audit(path, allow_unsealed=path == FIRST), entries(content_of(path))
    assert result.schema_version == "3"
    assert len(result.findings) == len(old)
    for finding, (key, was) in zip(result.findings, old, strict=True):
        measurement = finding.measurement
        assert (finding.role, finding.attribute, finding.layer) == (LISTS[key], was["attribute"], was["layer"])
        names = ("r2", "mae") if "continuous" in key else ("balanced_accuracy", "auroc", "bits")
        assert measurement.metric == names[0]
        assert {name: one.model_dump() for name, one in measurement.figures.items() if name != "given_task"} == {
            name: was[name] for name in names
        }
        given = measurement.figures.get("given_task")
        assert (given and given.model_dump()) == was.get("given_task")
        assert measurement.excess.model_dump() == was["excess"]
        assert measurement.floor_score.model_dump() == was["floor"]
        assert (measurement.strongest, measurement.resolution) == (was["strongest"], was["resolution"])
        assert [one.name for one in measurement.attackers] == [one["name"] for one in was["attackers"]]
        for now, then in zip(measurement.attackers, was["attackers"], strict=True):
            assert {name: one.model_dump() for name, one in now.figures.items()} == {
                name: then[name] for name in names if then.get(name) is not None
            }
        assert measurement.draws.get(names[0], []) == was.get(f"{names[0]}_draws", [])
        assert measurement.draws.get("excess", []) == was.get("excess_draws", [])
        if "continuous" in key:
            assert measurement.baseline == {"r2": 0, "mae": was["median_mae"]}
            assert [one.model_dump() for one in measurement.classes] == [was["rows"]]
        else:
            assert measurement.baseline == {"balanced_accuracy": was["chance"]}
            assert measurement.floor["bits"].model_dump() == was["floor_bits"]
            assert [one.model_dump() for one in measurement.classes] == was["classes"]
        decided = finding.decision and (finding.decision.verdict, finding.decision.limit, finding.decision.reason)
        assert decided == ((was["verdict"], was["limit"], was["reason"]) if finding.role == "private" else None)


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_old_figures_are_judged_as_they_were(path: Path) -> None:
    private = read_audit(path, allow_unsealed=path == FIRST).private
    assert private
    for finding in private:
        assert judge(finding.measurement, finding.decided.limit) == finding.decision


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_what_was_upgraded_is_written_and_read_as_the_present_schema(path: Path, tmp_path: Path) -> None:
    result = read_audit(path, allow_unsealed=path == FIRST)
    write_audit(result, tmp_path / "new.json")
    again = read_audit(tmp_path / "new.json")
    assert again.model_copy(update={"digest": result.digest}).model_dump() == result.model_dump()
    assert (result.is_older, again.is_older) == (True, False), "by the schema that was read, not by the figures"
    assert "leakage" not in content_of(tmp_path / "new.json")


def changed(content: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    """Set one field of old content, `leakage.0.bits`; `...` takes it out."""
    *way, last = place.split(".")
    target: Any = content
    for step in way:
        target = target[int(step) if isinstance(target, list) else step]
    key = int(last) if isinstance(target, list) else last
    if value is ...:
        del target[key]
    else:
        target[key] = value
    return content


@pytest.mark.parametrize(
    ("job", "place", "value", "told"),
    [
        ("classes", "leakage.0.leak", 1, "findings.0.leak: Extra inputs are not permitted"),
        ("classes", "leakage.0.attackers.0.power", 1, "attackers.0.power: Extra inputs are not permitted"),
        ("classes", "leakage.0.r2", {"value": 0, "low": 0, "high": 0}, "findings.0.r2: Extra inputs"),
        ("classes", "leakage.0.median_mae", 2.0, "findings.0.median_mae: Extra inputs"),
        (
            "classes",
            "leakage.0.rows",
            {},
            "findings.0.rows: Extra inputs",
        ),
        ("classes", "leakage.0.balanced_accuracy", "high", "figures.balanced_accuracy: Input should be"),
        ("classes", "leakage.0.balanced_accuracy", ..., "balanced_accuracy is missing"),
        ("classes", "leakage.0.attackers.0.auroc", ..., "auroc is missing"),
        ("classes", "leakage.0.attackers", 7, "attackers: Input should be a valid list"),
        ("classes", "leakage.0.attackers.0", "knn", "attackers.0: Input should be"),
        ("classes", "leakage.0.chance", "low", "baseline.balanced_accuracy: Input should be a valid number"),
        ("classes", "leakage.0.floor_bits", ..., "bits is missing"),
        ("classes", "leakage.0.excess_draws", 7, "draws.excess: Input should be a valid list"),
        ("classes", "leakage.0.given_task", 0, "figures.given_task: Input should be"),
        ("classes", "leakage.0.given_task", "some", "figures.given_task: Input should be"),
        ("classes", "leakage.0.verdict", "MAYBE", "decision.verdict: Input should be 'PASS'"),
        ("classes", "leakage.0.verdict", ..., "decision.verdict: Field required"),
        ("classes", "leakage.0", 7, "findings.0: Input should be"),
        ("classes", "leakage", 7, "leakage: Extra inputs are not permitted"),
        ("classes", "leakage", [], "no private attribute was measured"),
        ("classes", "finding", [], "finding: Extra inputs are not permitted"),
        ("quantity", "continuous.0.rows", 7, "classes.0: Input should be"),
        ("quantity", "continuous.0.bits", {"value": 0, "low": 0, "high": 0}, "bits: Extra inputs"),
        ("quantity", "continuous.0.rows", ..., "classes: List should have at least 1 item"),
        ("quantity", "continuous.0.classes", [], "findings.0.classes: Extra inputs"),
        ("quantity", "continuous.0.chance", 0.5, "findings.0.chance: Extra inputs"),
        ("quantity", "continuous.0.median_mae", ..., "mae is missing"),
        ("quantity", "continuous.0.median_mae", "low", "baseline.mae: Input should be a valid number"),
        ("kept", "kept.0.verdict", "PASS", "findings"),
        ("kept", "kept.0.entropy", ..., "entropy does not go with balanced accuracy"),
    ],
)
def test_a_field_that_is_not_known_or_of_another_type_is_refused_in_one_line(
    job: str, place: str, value: object, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(changed(content_of(STORED / f"schema_2/{job}.json"), place, value)), encoding="utf-8")
    with pytest.raises(EvidenceError, match=re.escape(told)) as caught:
        read_audit(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_the_first_schema_is_as_strict(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    for place, value in (("leakage.0.leak", 1), ("leakage.0.bits", "many"), ("leakage.0", None)):
        path.write_text(json.dumps(changed(content_of(FIRST), place, value)), encoding="utf-8")
        with pytest.raises(EvidenceError, match=r"^[^\n]+schema 3[^\n]+$"):
            read_audit(path)
