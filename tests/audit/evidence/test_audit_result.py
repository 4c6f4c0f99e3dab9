"""Evidence in a file: sorted, finite, sealed, without places and small cells, and readable years later."""

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError
from support.findings import around, audit, leakage, remeasured
from support.sweeps import typical, write_sweep

from audit.cli.evidence import schema
from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult, read_audit, write_audit
from audit.evidence.findings import AttackerResult, Estimate
from audit.evidence.json_file import SMALL, as_json, digest, without_folders, without_places, without_small_cells
from irene.command import main

OLD = Path(__file__).parents[2] / "support/evidence/audit-1.json"
"""Evidence as the first schema had it."""


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    path = tmp_path / "audit.json"
    write_audit(audit(), path)
    return path, json.loads(path.read_text(encoding="utf-8"))


def test_evidence_of_the_first_schema_is_still_read() -> None:
    found = read_audit(OLD, allow_unsealed=True)
    old = json.loads(OLD.read_text(encoding="utf-8"))
    assert (old["schema_version"], found.schema_version) == ("1", "3")
    assert found.private[0].measurement.score.value == old["leakage"][0]["balanced_accuracy"]["value"]
    assert found.private[0].measurement.draws == {} and found.digest is None


@pytest.mark.parametrize("version", ["0", "4", "", None, 2, ["1"], {"1": 1}])
def test_a_schema_that_nobody_knows_is_refused(version: object, tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(json.loads(OLD.read_text(encoding="utf-8")) | {"schema_version": version}))
    with pytest.raises(EvidenceError, match=r"schema 3.*schema_version"):
        read_audit(path)


def test_keys_are_sorted_and_what_is_read_is_what_was_written(written: tuple[Path, dict[str, Any]]) -> None:
    path, content = written
    assert read_audit(path).model_copy(update={"digest": None}) == audit()

    def is_sorted(value: object) -> bool:
        if isinstance(value, dict):
            return list(value) == sorted(value) and all(map(is_sorted, value.values()))
        return not isinstance(value, list) or all(map(is_sorted, value))

    assert is_sorted(content)


def test_draws_stand_on_one_line(tmp_path: Path) -> None:
    found = remeasured(leakage(), draws={"excess": [0.1, None, -2e-05, 1.0]})
    assert '"excess": [ 0.1, null, -2e-05, 1.0 ]' in as_json(audit(found)).decode()


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_no_figure_is_infinite_and_one_that_is_missing_is_null(figure: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Estimate(value=figure, low=0, high=1)
    if math.isnan(figure):
        assert AttackerResult(name="mlp", view="both", select=figure, figures={}).select is None
    else:
        with pytest.raises(ValidationError, match="finite"):
            AttackerResult(name="mlp", view="both", select=figure, figures={})


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_file_with_a_figure_that_is_none_is_refused(
    constant: str, written: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    text = written[0].read_text(encoding="utf-8").replace('"seed": 0', f'"seed": {constant}')
    (tmp_path / "odd.json").write_text(text, encoding="utf-8")
    with pytest.raises(EvidenceError, match=f"{constant} is no figure"):
        read_audit(tmp_path / "odd.json")


@pytest.mark.parametrize("text", ["", "[]", "7", "null", '{"a": ', "[" * 100_000, "\ufeff{}"])
def test_what_holds_no_object_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(text, encoding="utf-8")
    with pytest.raises(EvidenceError, match="is not an audit's evidence") as caught:
        read_audit(tmp_path / "odd.json")
    assert "\n" not in str(caught.value)


def test_the_digest_holds_for_another_layout_and_falls_for_another_figure(
    written: tuple[Path, dict[str, Any]],
) -> None:
    content = written[1]
    assert content["digest"] == digest(content) == digest(dict(reversed(content.items())))
    content["findings"][0]["measurement"]["excess"]["high"] -= 1e-6
    assert content["digest"] != digest(content)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("irene audit /home/ada/faces/model.pt -o out/a.json", "irene audit model.pt -o out/a.json"),
        ("irene audit '/home/ada lovelace/model.pt' x", "irene audit 'model.pt' x"),
        ("--arch ~/work/nets.py:build --data=/srv/client/rows.csv", "--arch nets.py:build --data=rows.csv"),
        ("irene audit a.pt -o/home/ada/a.json --arch nets/mine.py:net", "irene audit a.pt -oa.json --arch mine.py:net"),
        (r"irene audit C:\Users\Ada\model.pt", "irene audit model.pt"),
        (r'irene audit "C:\Users\Ada Lovelace\model.pt"', 'irene audit "model.pt"'),
        ("see https://example.org/a/b and 5/7 of and/or", "see https://example.org/a/b and 5/7 of and/or"),
        ("../faces/model.pt out/a.json", "../faces/model.pt out/a.json"),
        ("--arch=a=b/nets/mine.py:net b//mine.py:net", "--arch=a=mine.py:net b//mine.py:net"),
        ("'/home/a b/nets/mine.py:net' (b/mine.py:net c/mine.py: d", "'mine.py:net' mine.py:net c/mine.py: d"),
    ],
)
def test_where_files_lie_on_the_auditors_machine_is_cut_from_texts(said: str, told: str) -> None:
    assert without_places(said) == told == without_places(told)


@pytest.mark.parametrize("end", ["", "x.py:f", "=/x.py:f"])
def test_folders_are_cut_in_a_time_that_grows_with_the_text_alone(end: str) -> None:
    begun = time.monotonic()
    without_places("!!a/" * 50_000 + end)
    assert without_folders("a" * 100_000 + "=b/c") == "a" * 100_000 + "=c"
    assert time.monotonic() - begun < 1


def test_a_name_that_stands_twice_behind_many_others_is_told_in_a_moment(tmp_path: Path) -> None:
    names = [*(str(number) for number in range(100_000)), "99999"]
    (tmp_path / "odd.json").write_text("{" + ", ".join(f'"{name}": 0' for name in names) + "}", encoding="utf-8")
    begun = time.monotonic()
    with pytest.raises(EvidenceError, match="'99999' stands twice in one object"):
        read_audit(tmp_path / "odd.json")
    assert time.monotonic() - begun < 1


def test_every_text_that_may_hold_a_place_is_cut_as_it_is_made_and_as_it_is_read(tmp_path: Path) -> None:
    place = "/home/ada/secret/x"
    result = AuditResult.model_validate(
        audit().model_dump()
        | {
            "command": f"irene audit {place}",
            "warnings": [f"no {place}"],
            "data": audit().data.model_dump() | {"name": place, "options": {"root": place, "n": 3, "flip": True}},
            "checkpoint": audit().checkpoint.model_dump() | {"architecture": f"{place}.py:build"},
        }
    )
    assert b"secret" not in as_json(result)
    assert result.data.options == {"root": "x", "n": 3, "flip": True}
    old = json.loads(OLD.read_text(encoding="utf-8"))
    (tmp_path / "old.json").write_text(json.dumps(old | {"command": f"irene audit {place}"}), encoding="utf-8")
    assert read_audit(tmp_path / "old.json", allow_unsealed=True).command == "irene audit x"


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"a": 40, "b": 12}, {"a": 40, "b": 12}),
        ({"a": SMALL}, {"a": SMALL}),
        ({"a": 40, "b": 3, "c": 12}, {"a": 40, "b": None, "c": None}),
        ({"a": 40, "b": 3, "c": 9}, {"a": 40, "b": None, "c": None}),
        ({"b": 3}, {"b": None}),
        ({"a": 40, "b": None, "c": None}, {"a": 40, "b": None, "c": None}),
    ],
)
def test_a_count_that_could_single_people_out_is_withheld_with_another_that_would_tell_it(
    counts: dict[str, int | None], told: dict[str, int | None]
) -> None:
    assert without_small_cells(counts) == told == without_small_cells(told)
    measurement = leakage().measurement
    assert measurement.model_validate(measurement.model_dump() | {"left_out": counts}).left_out == told


def test_what_the_schema_says_fits_what_is_written_and_describes_every_field() -> None:
    told = json.loads(CliRunner().invoke(schema, ["audit"]).output)
    content = json.loads(as_json(audit()))
    assert set(told["properties"]) == set(content)
    assert told["properties"]["schema_version"]["const"] == content["schema_version"]
    excess = told["$defs"]["Measurement"]["properties"]["excess"]
    assert excess["description"].startswith("Excess leakage")
    assert told["additionalProperties"] is False
    for kind in ("sweep", "record"):
        assert "properties" in json.loads(CliRunner().invoke(schema, [kind]).output)


def test_a_lone_surrogate_in_a_name_is_written_as_a_question_mark(tmp_path: Path) -> None:
    write_audit(audit(leakage("col\udc80our")), tmp_path / "audit.json")
    assert read_audit(tmp_path / "audit.json").findings[0].attribute == "col?our"
    content = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert content["digest"] == digest(content)


def test_an_estimate_survives_the_file_to_the_last_digit(tmp_path: Path) -> None:
    found = remeasured(leakage(), excess=around(1 / 3, 1e-17))
    write_audit(audit(found), tmp_path / "audit.json")
    assert read_audit(tmp_path / "audit.json").findings[0].measurement.excess == found.measurement.excess


def test_a_sweep_is_told_for_what_it_is_where_an_audit_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "sweep.json"
    write_sweep(typical(), path)
    fact = "is a sweep, and the audit of one checkpoint is wanted"
    with pytest.raises(EvidenceError, match=rf"sweep\.json {fact}") as told:
        read_audit(path)
    assert "\n" not in str(told.value)
    for command in ("plan --rows 100", "check --limit 0.05 --private v"):
        name, *typed = command.split()
        ended = CliRunner().invoke(main, [name, str(path), *typed])
        assert ended.exit_code == 1
        assert fact in ended.output.splitlines()[-1]
