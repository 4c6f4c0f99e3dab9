"""Verification: figures by hand, pairs of whole people, and evidence that holds them together."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.planted import FEW, noise

from audit.data.labelled import LabelledData, labelled
from audit.errors import DataError, UnknownNameError
from audit.evidence.audit_result import AuditResult
from audit.evidence.checks.contradictions import contradictions
from audit.evidence.findings import Verification
from audit.run import audit_embeddings
from audit.settings import Settings
from audit.verification import verification
from audit.verification.pairs import Pairs, genuine_pairs, impostor_pairs, similarities
from reports.audit_page.render import write_report
from reports.inputs.comparison import compare
from reports.text.identities import gives_away, identities, identity_table

PEOPLE, EACH = 120, 4
SETTINGS = replace(FEW, attackers=("logistic",), keep_identity="person")


def rows(spread: float, *, by_class: float = 0.0) -> tuple[NDArray[np.float64], dict[str, list[str]]]:
    """Rows around a place of each person, (n, 8), the first number of whom leans on the private class."""
    person = np.repeat(np.arange(PEOPLE), EACH)
    v = person % 2
    z = noise(PEOPLE, 8)[person] + spread * noise(len(person), 8, seed=1)
    z[:, 0] += by_class * (2 * v - 1)
    return z, {"person": [f"p{one}" for one in person], "v": ["f" if one else "m" for one in v]}


def data(columns: dict[str, list[str]], **more: Any) -> LabelledData:
    return labelled(np.zeros((len(columns["v"]), 1)), columns, **more)


def run(spread: float, settings: Settings = SETTINGS, **shift: float) -> AuditResult:
    z, columns = rows(spread, **shift)
    return audit_embeddings({"z": z}, data(columns), private="v", settings=settings)


@pytest.fixture(scope="module")
def near() -> AuditResult:
    return run(0.3)


@pytest.fixture(scope="module")
def far() -> AuditResult:
    return run(1.0)


def test_every_pair_is_there_once_and_of_one_person_or_of_two_in_one_class() -> None:
    person = np.array([3, 1, 3, 2, 1, 3])
    stratum = np.array([0, 1, 0, 1, 1, 1])  # the last row of person 3 says another class
    assert _set(genuine_pairs(person, 100, 0, b"")) == {(0, 2), (0, 5), (2, 5), (1, 4)}
    assert _set(impostor_pairs(person, stratum, 100, 0, b"")) == {(1, 3), (1, 5), (3, 4), (3, 5), (4, 5)}


def _set(pairs: Pairs) -> set[tuple[int, int]]:
    found = [(min(a, b), max(a, b)) for a, b in zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)]
    assert len(set(found)) == len(found) == pairs.held
    return set(found)


def test_of_too_many_pairs_some_are_drawn_by_seed_and_key_and_counted() -> None:
    person = np.repeat(np.arange(100), 3)
    drawn = [impostor_pairs(person, 0 * person, 500, seed, key) for seed, key in ((0, b"a"), (0, b"a"), (0, b"b"))]
    assert [len(one.one) for one in drawn] == [500] * 3
    assert drawn[0].held == 300 * 299 // 2 - 300
    assert (drawn[0].one == drawn[1].one).all()
    assert (drawn[0].one != drawn[2].one).any(), "who does not have the rows cannot tell which pairs they were"
    assert (person[drawn[0].one] != person[drawn[0].other]).all()


def test_a_row_without_length_is_like_none_and_a_copy_exactly_alike() -> None:
    z = np.array([[0.0, 0.0], [3.0, 4.0], [0.3, 0.4], [-3.0, -4.0]], dtype=np.float32)
    pairs = Pairs(np.array([0, 1, 1]), np.array([1, 2, 3]), 3)
    assert similarities(z, pairs).tolist() == [0.0, 1.0, -1.0]


def test_the_figures_are_those_of_the_curve_by_hand() -> None:
    right, wrong = np.array([0.5, 0.75, 1.0, 1.0]), np.array([0.0, 0.25, 0.25, 1.0])
    area, error, *accepted = verification._curve(right, wrong)
    assert area == pytest.approx(0.25 * (0.5 + 0.75) / 2 + 0.75)
    assert error == pytest.approx(0.25)
    assert accepted == [0.5] * 3


def test_one_vector_for_all_tells_nobody_apart() -> None:
    area, error, *accepted = verification._curve(np.array([1.0]), np.array([1.0]))
    assert (area, error, accepted) == (0.5, 0.5, [0.0] * 3)


def test_people_are_told_apart_where_their_rows_are_near_each_other(near: AuditResult, far: AuditResult) -> None:
    for audit, least, most in ((near, 0.97, 1.0), (far, 0.6, 0.9)):
        every, same = audit.verifications
        assert (every.among, same.among) == (None, "v")
        assert least < every.auc.value < most
        assert every.auc.low < every.auc.value < every.auc.high
        assert list(contradictions(audit)) == []
    assert near.verifications[0].eer.value < far.verifications[0].eer.value


def test_a_class_that_is_told_helps_against_all_impostors_and_not_against_those_of_one_class() -> None:
    every, same = run(1.0, by_class=6.0).verifications
    assert every.auc.value > same.auc.value + 0.05
    assert every.genuine == same.genuine
    assert same.impostor_held < every.impostor_held


def test_a_rate_that_too_few_pairs_can_tell_has_no_figure(near: AuditResult) -> None:
    every = near.verifications[0]
    assert [tar.rate is None for tar in every.accepted] == [every.impostor * far < 10 for far in (0.01, 0.001, 0.0001)]
    assert every.draws.keys() == every.figures.keys()


def test_figures_are_of_test_rows_whose_people_are_whole_though_nobody_named_a_group(near: AuditResult) -> None:
    every = near.verifications[0]
    assert near.data.group == "person"
    assert any("kept together by 'person'" in note for note in near.warnings)
    assert every.rows == near.data.test.rows == EACH * every.people
    assert every.genuine_held == every.people * EACH * (EACH - 1) / 2


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"person": [str(one) for one in range(PEOPLE * EACH)]}, DataError, "No two rows have the same 'person'"),
        ({"person": [str(max(0, one - 3)) for one in range(PEOPLE * EACH)]}, DataError, "of the test rows have two"),
    ],
)
def test_identities_that_tell_nothing_are_refused_before_the_work(
    changes: dict[str, list[str]], error: type[Exception], told: str
) -> None:
    z, columns = rows(1.0)
    with pytest.raises(error, match=told):
        audit_embeddings({"z": z}, data(columns | changes), private="v", settings=SETTINGS)


def test_groups_that_cut_people_in_two_and_unknown_or_attacked_columns_are_refused() -> None:
    z, columns = rows(1.0)
    session = [str(one % 50) for one in range(len(z))]
    with pytest.raises(DataError, match="--group person"):
        audit_embeddings({"z": z}, data(columns, group=session), private="v", settings=SETTINGS)
    with pytest.raises(UnknownNameError, match="identity column"):
        audit_embeddings({"z": z}, data(columns), private="v", settings=replace(SETTINGS, keep_identity="persn"))
    with pytest.raises(DataError, match="named in another part"):
        audit_embeddings({"z": z}, data(columns), private="v", settings=replace(SETTINGS, keep_identity="v"))


def test_larger_groups_that_hold_people_whole_stay_as_they_are() -> None:
    z, columns = rows(0.3)
    family = [str(one // 8) for one in range(len(z))]  # two people each
    found = audit_embeddings({"z": z}, data(columns, group=family, group_name="family"), private="v", settings=SETTINGS)
    assert found.data.group == "family"
    assert found.verifications[0].people == 2 * found.data.test.groups


def test_a_person_who_is_unknown_is_in_no_pair() -> None:
    z, columns = rows(0.3)
    person: list[Any] = list(columns["person"])
    person[::EACH] = [None] * PEOPLE
    found = audit_embeddings({"z": z}, data(columns | {"person": person}), private="v", settings=SETTINGS)
    assert found.verifications[0].genuine_held == found.verifications[0].people * 3


def _edited(audit: AuditResult, **changes: Any) -> AuditResult:
    one = audit.verifications[0]
    return audit.model_copy(update={"verifications": [one.model_copy(update=changes), *audit.verifications[1:]]})


def _edits(one: Verification) -> Iterator[tuple[dict[str, Any], str]]:
    better = one.auc.model_copy(update={"value": 0.2, "low": 0.1, "high": 0.3})
    yield {"auc": better}, "not of one curve"
    narrow = one.auc.model_copy(update={"low": one.auc.value, "high": one.auc.value})
    yield {"auc": narrow}, "not that of its draws"
    low = one.accepted[0].model_copy(update={"rate": one.eer.model_copy(update={"value": 0.0, "low": 0.0})})
    yield {"accepted": [low, *one.accepted[1:]]}, "fewer genuine pairs"
    yield {"genuine": one.genuine_held + 1}, "more pairs were compared"
    yield {"impostor_held": 10**9}, "fewer pairs"
    yield {"people": one.rows}, "than test rows"
    yield {"impostor": 100}, "cannot tell"
    yield {"layer": "elsewhere"}, "nothing else was measured"
    yield {"among": "w"}, "not private"


def test_no_figure_of_verification_can_be_moved_alone(near: AuditResult) -> None:
    for changes, told in _edits(near.verifications[0]):
        assert any(told in fault for fault in contradictions(_edited(near, **changes))), changes


def test_two_audits_of_the_same_rows_are_paired_and_the_page_says_what_an_identity_tells(
    near: AuditResult, far: AuditResult, tmp_path: Any
) -> None:
    comparison = compare(near, far)
    every = identities(comparison)[0]
    told = every.change("auc")
    assert told is not None and told.paired and told.estimate.high < 0
    table = identity_table(comparison)
    assert table is not None and [row.head for row in table.bodies[0].rows] == ["Before", "After", "Change"]
    assert "can look v up" in gives_away(comparison)
    write_report(tmp_path / "page.html", near, far)
    page = (tmp_path / "page.html").read_text()
    assert "Whether people stay recognisable" in page and "can look v up" in page


def test_without_identities_a_page_says_nothing_of_them() -> None:
    alone = run(0.3, replace(SETTINGS, keep_identity=None))
    assert alone.verifications == []
    assert identity_table(compare(alone, None)) is None
    assert gives_away(compare(alone, None)) == ""


def test_evidence_names_no_pair_and_nobody(near: AuditResult) -> None:
    written = near.verifications[0].model_dump_json()
    assert "p1" not in written
    assert len(near.verifications[0].draws["auc"]) == SETTINGS.bootstrap
