"""What could be kept at best, and watched attributes: known cases, and what does not change by them."""

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from support.evidences import everything
from support.planted import FEW

from audit.data.labelled import LabelledData, labelled
from audit.errors import DataError
from audit.evidence.audit_result import AuditResult, read_audit, write_audit
from audit.evidence.checks.contradictions import contradictions
from audit.evidence.findings import Estimate
from audit.evidence.headline import sentence, watched_sentence
from audit.protocol.kept.at_best import barycentre
from audit.run import audit_embeddings
from reports.audit_page.render import write_report
from reports.inputs.comparison import compare
from reports.text.kept_at_best import Kept, Read, kept, kept_table, kept_text

Known = TypeVar("Known")
N = 3000
SETTINGS = replace(FEW, attackers=("logistic",))
DRAW = np.random.default_rng(7)
V = DRAW.integers(0, 2, N)
FREE = DRAW.integers(0, 2, N)
MIXED = (DRAW.random(N) < 0.25 + 0.5 * V).astype(np.int64)
AGE = 40 + 8 * MIXED + DRAW.normal(size=N)
Z = DRAW.normal(size=(N, 6)).astype(np.float32)
Z[:, 0] += 4 * V
Z[:, 1] += 2 * FREE
Z[:, 2] += 2 * MIXED


def rows(**more: Any) -> LabelledData:
    columns = {"v": V, "twin": V, "free": FREE, "mixed": MIXED, "age": AGE, "few": np.arange(N) < 3, **more}
    return labelled(np.zeros((N, 1)), columns)


def known(one: Known | None) -> Known:
    assert one is not None
    return one


def run(z: NDArray[np.float32] = Z, **more: Any) -> AuditResult:
    settings = replace(SETTINGS, watch=more.pop("watch", ()))
    return audit_embeddings({"z": z}, rows(), private="v", settings=settings, **more)


@pytest.fixture(scope="module")
def kept_all() -> AuditResult:
    return run(keep=["twin", "free", "mixed"])


@pytest.fixture(scope="module")
def all_watched() -> AuditResult:
    return run(watch="all")


def test_a_barycentre_tells_nothing_of_v_and_keeps_what_does_not_go_with_it() -> None:
    scores = np.stack([Z[:, 0] + Z[:, 1], Z[:, 1]], axis=1).astype(np.float64)
    found = barycentre(scores, V, np.zeros(N, np.int64))
    for column in range(2):
        of_class = [np.sort(found[c == V, column]) for c in (0, 1)]
        quantiles = [np.quantile(one, np.linspace(0.01, 0.99, 50)) for one in of_class]
        assert np.abs(quantiles[0] - quantiles[1]).max() < 0.02
    assert np.corrcoef(found[:, 1], Z[:, 1])[0, 1] > 0.999


def test_a_barycentre_keeps_what_the_given_class_tells() -> None:
    given = FREE.astype(np.int64)
    found = barycentre(Z[:, 1:2].astype(np.float64), V, given)[:, 0]
    assert roc_auc_score(FREE, found) == pytest.approx(roc_auc_score(FREE, Z[:, 1]), abs=0.01)
    assert abs(roc_auc_score(V, found) - 0.5) < 0.03


def test_rows_of_one_score_are_not_ranked_by_their_order_in_the_file() -> None:
    v, u = np.repeat([0, 1], 500), np.tile(np.repeat([0, 1], 250), 2)
    scores = np.where(v == 0, 0.5, np.arange(1000) / 1000)[:, None]
    assert abs(roc_auc_score(u[v == 0], barycentre(scores, v, np.zeros(1000, np.int64))[v == 0, 0]) - 0.5) < 0.06


def test_at_best_is_nothing_of_a_twin_all_of_what_is_free_and_something_of_the_rest(kept_all: AuditResult) -> None:
    read = {one.attribute: one.measurement for one in kept_all.retained}
    best = {name: known(one.at_best).value for name, one in read.items()}
    assert best["twin"] == pytest.approx(0.5, abs=0.03)
    assert best["free"] == pytest.approx(read["free"].figures["auroc"].value, abs=0.01)
    assert 0.6 < best["mixed"] < read["mixed"].figures["auroc"].value - 0.03
    assert kept_all.private[0].measurement.at_best is None
    assert "could keep AUROC 0.5" in sentence(next(one for one in kept_all.retained if one.attribute == "twin"))


def test_a_linear_attacker_reads_every_other_column(all_watched: AuditResult) -> None:
    found = {one.attribute: one for one in all_watched.watched}
    assert set(found) == {"twin", "free", "mixed", "age"}
    assert any("'few' is not watched" in note for note in all_watched.warnings)
    assert found["free"].figure.value == pytest.approx(roc_auc_score(FREE, Z[:, 1]), abs=0.04)
    assert found["age"].metric == "r2"
    assert known(found["age"].at_best).value < found["age"].figure.value - 0.02
    assert "WATCHED: age at z: a linear attacker reads R²" in watched_sentence(found["age"])
    assert list(contradictions(all_watched)) == []


def test_watching_changes_nothing_else(all_watched: AuditResult) -> None:
    alone = run()
    assert all_watched.findings == alone.findings
    assert all_watched.data == alone.data


def test_the_predicted_column_and_those_with_a_part_are_not_among_all_others() -> None:
    found = run(watch="all", task="free", predicted="free", keep=["mixed"])
    assert {one.attribute for one in found.watched} == {"twin", "age"}


def test_a_column_with_a_part_or_an_unclear_one_cannot_be_watched_by_name() -> None:
    with pytest.raises(DataError, match="'v' is to be watched and has another part already"):
        run(watch=["v"])
    ids = rows(code=np.arange(N))
    with pytest.raises(DataError, match="Watched column 'code' holds"):
        audit_embeddings({"z": Z}, ids, private="v", settings=replace(SETTINGS, watch=["code"]))


def test_a_page_tells_what_was_kept_of_before_and_of_the_best(tmp_path: Path) -> None:
    less = Z.copy()
    less[:, 0] = 0
    less[:, 1] *= 0.5
    before, after = (run(z, watch="all") for z in (Z, less))
    for name, one in (("a", before), ("b", after)):
        write_audit(one, tmp_path / f"{name}.json")
    comparison = compare(read_audit(tmp_path / "a.json"), read_audit(tmp_path / "b.json"))
    found = {one.readings[0].attribute: one for one in kept(comparison)}
    first, last = found["free"].readings
    assert found["free"].of_before == pytest.approx((last.figure.value - 0.5) / (first.figure.value - 0.5))
    assert known(found["twin"].of_before) < 0.45  # what goes with it still tells some
    assert found["twin"].of_possible is None  # nothing of it can be kept at best
    write_report(tmp_path / "page.html", *(one for _, one in comparison.audits))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "What could be kept at best" in page
    assert kept_text(comparison).partition("counted")[2] in page


def test_one_audit_has_the_best_without_shares_and_older_evidence_has_neither() -> None:
    alone = compare(everything(), None)
    assert known(kept_table(alone)).columns == ("Attribute", "Read", "At best")
    assert kept_text(alone) == ""
    older = everything().model_copy(update={"watched": [], "findings": everything().private})
    assert kept_table(compare(older, None)) is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"attribute": "colour"}, "stands there already"),
        ({"layer": "nowhere"}, "another layer"),
        ({"rows": 9_999}, "more than there are"),
        ({"rows": 3}, "on too few test rows"),
        ({"attribute": " "}, "has no name"),
        ({"figure": {"value": 1.2, "low": 1.1, "high": 1.3}}, "not within its scale"),
        ({"at_best": {"value": 0.6, "low": 0.7, "high": 0.5}}, "ends before it begins"),
    ],
)
def test_a_watched_attribute_that_contradicts_the_rest_is_told(change: dict[str, Any], fault: str) -> None:
    given = everything()
    one = given.watched[0]
    other = type(one).model_validate(one.model_dump() | change)
    told = list(contradictions(given.model_copy(update={"watched": [other]})))
    assert any(fault in one for one in told)


def test_of_what_is_no_more_than_a_guess_by_its_middle_no_share_is_told() -> None:
    flat = Estimate(value=0.5, low=0.55, high=0.7)
    one = Read("hair", "fc", "auroc", flat, flat, is_named=True)
    assert Kept((one, one)).of_before is None and Kept((one, one)).of_possible is None
