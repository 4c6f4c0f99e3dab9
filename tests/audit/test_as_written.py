"""Audits of files whose values were once cleaned in silence: the right verdict, and a note of what was read how."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import Result
from PIL import Image
from support.machine import REAL
from support.planted import FEW
from torch import nn

from audit.data.columns import Column
from audit.data.labelled import labelled
from audit.data.sources.embeddings import read_embeddings
from audit.data.sources.opening import open_data
from audit.data.sources.table import load
from audit.errors import DataError
from audit.evidence.audit_result import AuditResult, read_audit
from audit.run import audit, audit_embeddings

N = 3000


def names(result: AuditResult) -> list[str]:
    return [one.name for one in result.findings[0].measurement.classes]


def of_religion(word: str, **said: Any) -> AuditResult:
    """Audit features that tell one class alone."""
    draw = np.random.default_rng(0)
    religion = np.array([word, "Muslim", "Christian"])[draw.integers(0, 3, N)]
    z = draw.normal(size=(N, 4)).astype("f4")
    z[:, 0] += 6 * (religion == word)
    return audit_embeddings({"z": z}, labelled(torch.tensor(z), {"r": religion}, **said), private="r", settings=FEW)


@pytest.mark.parametrize("word", ["None", "NA", "No religion"])
def test_a_class_called_none_is_audited_as_any_other(word: str) -> None:
    result = of_religion(word)
    (one,) = result.findings
    assert sorted(names(result)) == sorted([word, "Muslim", "Christian"])
    assert one.decided.verdict == "FAIL"
    assert one.measurement.score.value == pytest.approx(0.67, abs=0.03)
    assert [f"'r' of arrays: {word!r} in" in note for note in result.warnings].count(True) == (word != "No religion")


def test_a_class_that_is_said_to_be_missing_is_missing_and_the_evidence_says_so() -> None:
    result = of_religion("None", missing="none")
    assert names(result) == ["Christian", "Muslim"]
    assert result.data.options == {"missing": "none"}
    assert any("counts as missing" in note for note in result.warnings)
    assert result.findings[0].measurement.missing > 900


class Mean(nn.Module):
    """Its bottleneck is the mean of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.fc(x.mean((2, 3)))
        return scores


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_scans_of_16_bits_leak_what_scans_of_8_bits_leak(tmp_path: Path, kind: str) -> None:
    draw, rows = np.random.default_rng(0), []
    for row in range(300):
        grey = 100 + 60 * (row % 2) + draw.integers(0, 20, (8, 8))
        Image.fromarray((grey * (257 if kind == "u2" else 1)).astype(kind)).save(tmp_path / f"{row}.png")
        rows.append({"file_name": f"{row}.png", "sex": "mf"[row % 2]})
    pd.DataFrame(rows).to_csv(tmp_path / "metadata.csv", index=False)
    data = open_data(str(tmp_path), "audit", {"transform": "unit", "image_size": 8})
    result = audit(Mean(), data, private="sex", layer="fc:input", settings=FEW)
    assert result.findings[0].decided.verdict == "FAIL"
    assert result.findings[0].measurement.score.value > 0.97
    assert any("300 of 300 images hold 16 bits" in note for note in result.warnings) == (kind == "u2")


def embeddings(path: Path, labels: dict[str, Any]) -> Path:
    z = np.random.default_rng(1).normal(size=(len(next(iter(labels.values()))), 4)).astype("f4")
    np.savez(path, z=z, **{name: np.asarray(values) for name, values in labels.items()})  # type: ignore[arg-type]
    return path


def test_one_class_of_three_rows_stops_nothing_and_is_told_without_its_count(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    race = np.array(["a", "b", "c"], dtype="U4")[draw.integers(0, 3, 900)]
    race[:3], sex = "rare", np.array(["f", "m"])[draw.integers(0, 2, 900)]
    found = read_embeddings(embeddings(tmp_path / "z.npz", {"race": race, "sex": sex}))
    result = audit_embeddings(found.layers, found.data, private=["race", "sex", "race+sex"], settings=FEW)
    measured = {one.attribute: one.measurement for one in result.findings}
    assert [one.name for one in measured["race"].classes] == ["a", "b", "c"]
    assert measured["race"].left_out == {"a class of fewer than 10 rows": None}
    assert measured["sex"].left_out == {}
    assert {*measured["race+sex"].left_out} <= {"a class of fewer than 10 rows", "2 classes of fewer than 10 rows"}
    told = "a few rows were left out of 'race', in classes too rare to audit: a class of fewer than 10 rows"
    assert told in result.warnings
    assert not re.search(r'"rare[" ]', result.model_dump_json()), "a name of so few may be a person's"


def test_rare_classes_are_merged_where_that_is_asked_for(tmp_path: Path) -> None:
    race = np.array(["a", "b"])[np.random.default_rng(0).integers(0, 2, 900)]
    for place in range(8):
        race[place * 12 : place * 12 + 12] = f"{place}"
    found = read_embeddings(embeddings(tmp_path / "z.npz", {"race": race}))
    merged = audit_embeddings(found.layers, found.data, private="race", settings=replace(FEW, merge_rare="other"))
    measured = merged.findings[0].measurement
    assert names(merged) == ["a", "b", "other"]
    assert (measured.merged, measured.left_out) == ({f"{place}": 12 for place in range(8)}, {})
    assert (merged.protocol.merge_rare, merged.protocol.min_class) == ("other", 10)
    assert any(note.startswith("96 rows of 'race' were merged into one class") for note in merged.warnings)
    kept = audit_embeddings(found.layers, found.data, private="race", settings=replace(FEW, min_class=2))
    assert len(names(kept)) == 10
    none = replace(FEW, min_class=200)
    with pytest.raises(DataError, match=r"'race' has no class with enough rows .*: each needs 200"):
        audit_embeddings(found.layers, found.data, private="race", settings=none)


def test_the_command_line_asks_what_codes_are_and_takes_words_and_rare_classes(
    tmp_path: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    labels = {"zip": draw.integers(100, 160, 900), "race": np.array(["a", "b", "NA", "x"])[draw.integers(0, 4, 900)]}
    labels["race"][labels["race"] == "x"] = "a"
    labels["race"][:30] = "y"
    embeddings(tmp_path / "z.npz", labels)
    asked = run("audit z.npz --private zip --attackers logistic")
    assert asked.exit_code == 1
    assert asked.stderr.count("\n") == 1
    assert "'zip' holds 60 different whole numbers" in asked.stderr
    assert "--classes zip or --continuous zip" in asked.stderr
    done = run("audit z.npz --private race --missing NA --min-class 3 --merge-rare b --attackers logistic -o a.json")
    assert done.exit_code == 0, done.output
    assert "Note: 'race' of z.npz: 'NA' in" in done.stderr
    result = read_audit(Path("a.json"))
    assert names(result) == ["a", "b", "y"]
    assert (result.data.options["missing"], result.protocol.min_class, result.protocol.merge_rare) == ("NA", 3, "b")
    page = run("report a.json -o a.html")
    assert page.exit_code == 0, page.output
    assert "fewer than 3 rows in a split, merged into b" in Path("a.html").read_text(encoding="utf-8")


@pytest.mark.data("tabular/acs_income.parquet")
def test_the_codes_of_real_occupations_are_asked_about_and_are_classes_when_that_is_said() -> None:
    path = REAL / "tabular" / "acs_income.parquet"
    data = load(path, "audit", features="AGEP")
    with pytest.raises(DataError, match=r"'OCCP' holds 529 different whole numbers"):
        data.attribute("OCCP", "private")
    column = load(path, "audit", features="AGEP", classes="OCCP").attribute("OCCP", "private")
    assert isinstance(column, Column)
    assert len(column.classes) == 529
    assert [float(one) for one in column.classes] == sorted(float(one) for one in column.classes)


def test_representations_without_a_name_are_told_how_to_get_one() -> None:
    z: Any = np.zeros((4, 2), dtype=np.float32)
    with pytest.raises(DataError, match=r"The representations are a ndarray\. Give them by the name of their layer"):
        audit_embeddings(z, labelled(torch.tensor(z), {"r": list("abab")}), private="r")
