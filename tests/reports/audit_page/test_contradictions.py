"""The page does not contradict itself: figures, rows used and held, copies as treated, for whom the limit holds."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from golden.make import visible
from numpy.typing import NDArray
from support.findings import audit, sanitizing
from support.planted import FEW, labels, noise

import irene
from audit.evidence.audit_result import AuditResult, DataRows, Split
from audit.evidence.headline import sentence
from audit.evidence.verdict import held_for
from reports.audit_page.render import render
from reports.compliance.dpia import render_html
from reports.models_page.page import render_models


def audited(
    z: NDArray[np.float64], v: Mapping[str, NDArray[np.int64]], settings: irene.Settings = FEW, group: object = None
) -> AuditResult:
    data = irene.labelled(torch.zeros(len(z), 1), {name: codes.tolist() for name, codes in v.items()})
    data = replace(data, group=group) if group is not None else data  # type: ignore[arg-type]
    return irene.audit_embeddings({"z": z.astype(np.float32)}, data, private=list(v), settings=settings)


def page(result: AuditResult, folder: Path) -> str:
    irene.write_report(folder / "page.html", result)
    return visible((folder / "page.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("attackers", [("logistic", "products"), ("knn",), ("logistic",)])
def test_the_figure_of_the_verdict_stands_in_the_row_that_is_marked_strongest(
    attackers: tuple[str, ...], tmp_path: Path
) -> None:
    v = labels(1500)
    z = noise(1500)
    z[:, 0] += 0.7 * v
    z[:, 1] *= 1 + 0.7 * v
    result = audited(z, {"v": v}, replace(FEW, attackers=attackers))
    found = result.findings[0].measurement
    table = page(result, tmp_path).split("Every attacker on v")[1].split("Controls")[0]
    (marked,) = [part for part in re.split(r"\n(?=logistic|products|knn|committee)", table) if "strongest" in part]
    assert found.strongest.split(" on ")[0] in marked
    assert f"{100 * found.score.value:.1f}" in marked


def test_rows_that_were_used_stand_beside_those_that_were_held(tmp_path: Path) -> None:
    result = audited(noise(3000), {"v": labels(3000)}, replace(FEW, fit_rows=400, test_rows=300))
    text = page(result, tmp_path)
    assert "400 of 1,500" in text
    assert "300 of 900" in text


def test_an_attacker_of_few_rows_is_not_said_to_have_learned_from_all(tmp_path: Path) -> None:
    result = audited(noise(12_000, 4), {"v": labels(12_000)}, replace(FEW, attackers=("knn", "logistic")))
    rows = {one.name: one.rows for one in result.findings[0].measurement.attackers}
    assert rows["knn"] == 5000
    assert rows["logistic"] == 6000
    assert "5,000 of 6,000" in page(result, tmp_path)


def test_no_document_tells_rows_that_were_held_as_used() -> None:
    drew = DataRows(
        name="faces", options={}, rows=200_000, fingerprint="d" * 64, group=None, train=Split(rows=5000, groups=5000),
        select=Split(rows=1000, groups=1000), test=Split(rows=60_000, groups=60_000),
    )  # fmt: skip
    one, other = audit(data=drew), audit(data=drew, sha="c" * 64)
    assert one.tested == 2000
    annex = visible(render_html(one))
    assert "2,000 of 60,000 test rows" in annex and "figures taken on 2,000 of 60,000 rows" in annex
    assert "200,000 rows, 2,000 of them for the figures" in visible(render(one))
    assert "same 2,000 of 60,000 rows" in visible(render_models({"one": one, "other": other}))


def test_what_the_sanitizer_did_without_a_task_is_told_as_such() -> None:
    made = sanitizing()
    bare = made.model_copy(update={"settings": {"task": None}, "chosen": 0, "release": "map"})
    text = visible(render(audit(made=bare, sha="a" * 64)))
    assert "Loss of what is kept, first and last epoch" in text and "Task loss" not in text
    assert "chosen by what is kept and by quick fresh attackers" in text
    assert "a map of the features" in text and "affine" not in text
    assert "Task loss, first and last epoch (nats)" in visible(render(audit(made=made, sha="a" * 64)))


def test_an_open_verdict_asks_for_labelled_rows_in_all_and_for_more_than_are_held() -> None:
    v = labels(1500)
    z = noise(1500)
    z[:, 0] += 0.28 * v  # about 5 points: on both sides of the limit
    result = audited(z, {"v": v}, replace(FEW, test_rows=200))
    decision = result.findings[0].decided
    assert decision.verdict == "INCONCLUSIVE"
    assert "test rows" not in decision.reason
    told = re.search(r"about ([\d,]+) labelled rows in all", decision.reason)
    assert told is None or int(told[1].replace(",", "")) > 1250


@pytest.mark.parametrize("joined", [True, False])
def test_copies_are_told_as_they_were_treated(joined: bool, tmp_path: Path) -> None:
    seen = np.repeat(np.arange(300), 5)
    x = torch.tensor(noise(300)[seen], dtype=torch.float32)
    data = irene.labelled(x, {"v": labels(1500).tolist()})
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(6, 2))
    result = (
        irene.audit(model, data, private="v", layer="0", settings=FEW)
        if joined
        else irene.audit_embeddings({"z": x.numpy()}, data, private="v", settings=FEW)
    )
    text = page(result, tmp_path)
    assert ("groups that share an input were joined" in text or "copies were kept on one side" in text) == joined
    assert ("may stand on both sides of a split" in text) == (not joined)


@pytest.mark.parametrize(
    ("rows", "codes", "who"),
    [(40_000, 2, "every attacker"), (3000, 450, "the attackers tried"), (3000, 0, "not held")],
)
def test_the_verdict_says_for_whom_the_limit_holds(rows: int, codes: int, who: str, tmp_path: Path) -> None:
    v = labels(rows)
    code = v if codes == 0 else np.random.default_rng(5).integers(codes, size=rows)
    settings = replace(FEW, limit=0.12)
    result = audited(noise(max(codes, 2), 4)[code], {"v": v}, settings)
    (finding,) = result.findings
    assert held_for(finding) == who
    told = {
        "every attacker": "The limit holds for every attacker, tried or not",
        "the attackers tried": "The limit holds for the attackers tried, not for every attacker",
        "not held": "The limit is not held",
    }[who]
    assert told in sentence(finding)
    assert "no attacker whatever" not in page(result, tmp_path) or who == "every attacker"


def test_bits_below_nothing_are_printed_so() -> None:
    (finding,) = audited(noise(600), {"v": labels(600)}).findings
    found = finding.measurement
    below = {**found.figures, "bits": found.figures["bits"].model_copy(update={"value": -0.21})}
    worse = finding.model_copy(update={"measurement": found.model_copy(update={"figures": below})})
    assert "−0.21 of 1.00 bits" in sentence(worse)
