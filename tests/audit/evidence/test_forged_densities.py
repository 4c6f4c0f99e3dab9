"""Densities in evidence: what breaks their rule, or goes with no other figure, is refused; older evidence has none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.findings import audit, leakage, lying, remeasured, retained

from audit.evidence.audit_result import AuditResult
from audit.evidence.checks.contradictions import contradictions
from audit.evidence.checks.contradictions_of_densities import of_densities
from audit.evidence.densities import GRIDS, SIDES, grid_of, within
from audit.evidence.findings import Finding

Edit = Callable[[dict[str, Any], dict[str, Any]], object]
HAND = ("no", "yes")


def sound(classes: tuple[str, ...] = HAND) -> Finding:
    return lying(leakage("left-handed", 0.6, classes=classes))


def faults(found: Finding) -> list[str]:
    return list(of_densities(found))


def test_grids_are_numbered_one_after_the_other_and_each_covers_the_map() -> None:
    every = range(GRIDS[SIDES[-1]] + SIDES[-1] ** 2)
    for side in SIDES:
        own = [number for number in every if grid_of(number) == side]
        assert len(own) == side**2
        covered = [place for number in own for place in within(number)]
        assert len(covered) == len(set(covered)) == SIDES[0] ** 2
    assert within(GRIDS[6] + 7) == {(2, 2), (2, 3), (3, 2), (3, 3)}


@pytest.mark.parametrize("classes", [HAND, tuple("0123456789")])
def test_sound_densities_contradict_nothing(classes: tuple[str, ...]) -> None:
    assert faults(sound(classes)) == []
    assert faults(leakage()) == []


EDITS: dict[str, tuple[Edit, str]] = {
    "a share more": (lambda score, _: score["shares"].__setitem__(0, 0.9), "do not add up"),
    "a share to more digits": (lambda score, _: score["shares"].__setitem__(0, 0.1912), "not rounded to percents"),
    "a bin of few": (lambda score, _: score.update(shares=[0.02, 0.38, 0.4, 0.2]), "not every share of it is of 20"),
    "edges unsorted": (lambda score, _: score["edges"].reverse(), "do not ascend"),
    "an edge at a row": (lambda score, _: score["edges"].__setitem__(0, -2.0123), "where a row may lie"),
    "an edge far out": (lambda score, _: score["edges"].__setitem__(0, -20.05), "beyond all scores"),
    "a bin without an edge": (lambda score, _: score["edges"].pop(), "not one edge more than bins"),
    "scores of nobody": (lambda score, _: score.update(name="who"), "not of its classes"),
    "scores moved": (lambda score, _: score.update(edges=[3.05, 4.05, 5.05, 6.05, 7.05]), "not of one attacker"),
    "a map of nobody": (lambda _, place: place.update(name="who"), "not of its classes"),
    "a cell beyond the grids": (lambda _, place: place["cells"].__setitem__(-1, 189), "beyond the grids"),
    "a cell before the grids": (lambda _, place: place["cells"].__setitem__(0, -1), "beyond the grids"),
    "a cell twice": (lambda _, place: place["cells"].__setitem__(1, place["cells"][0]), "do not ascend"),
    "a share without a cell": (lambda _, place: place["cells"].pop(), "have not one share each"),
    "a cell of few": (lambda _, place: place.update(shares=[0.01, 0.49, 0.5]), "not every share of it is of 20"),
    "cells that do not add up": (lambda _, place: place["shares"].__setitem__(1, 0.1), "do not add up"),
    "few that are withheld": (lambda _, place: place.update(withheld=0.03), "what is withheld is of too few"),
    "a cell of nothing": (
        lambda _, place: place.update(cells=[0, 1, 12, 13, GRIDS[6]], shares=[0.2] * 5),
        "finer cells leave nothing",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_density_is_refused(name: str) -> None:
    edit, told = EDITS[name]
    content = sound().model_dump()
    edit(content["densities"]["scores"][0], content["densities"]["map"][0])
    assert any(told in fault for fault in faults(Finding.model_validate(content)))
    assert any(told in fault for fault in contradictions(audit(Finding.model_validate(content))))


def test_scores_of_several_classes_are_held_against_their_recalls() -> None:
    found = sound(tuple("0123456789"))
    content = found.model_dump()
    content["densities"]["scores"][0]["edges"] = [0.55, 1.05, 2.05, 3.05, 4.05]
    assert any("its recall are not of one attacker" in one for one in faults(Finding.model_validate(content)))
    content["densities"]["scores"][0]["edges"] = [-9.05, -8.05, -7.05, -6.05, -5.05]
    assert any("its recall are not of one attacker" in one for one in faults(Finding.model_validate(content)))


def test_a_class_of_too_few_people_and_what_is_not_private_have_none() -> None:
    found = sound()
    few = [one.model_copy(update={"test": 39}) for one in found.measurement.classes]
    assert any("39 test rows are of too few" in one for one in faults(remeasured(found, classes=few)))
    assert faults(retained(found)) == ["densities are of classes of a private attribute alone"]


def test_evidence_of_before_has_none_and_is_read() -> None:
    content = json.loads(audit(sound()).model_dump_json())
    assert content["findings"][0].pop("densities")
    assert AuditResult.model_validate(content, strict=True).findings[0].densities is None
    old = Path(__file__).parents[2] / "support/evidence/schema_2/classes.json"
    assert "densities" not in old.read_text(encoding="utf-8")
