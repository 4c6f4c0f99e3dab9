"""The findings of an audit as a DataFrame: a row each, figures with their intervals, gaps where there is no figure."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.findings import audit, certified, continuous, leakage, readable, regression

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding

FIGURES = ("balanced_accuracy", "auroc", "bits", "given_task", "r2", "mae", "excess")
WITHOUT = {"balanced_accuracy": ("r2", "mae", "floor_r2", "guess_r2", "guess_mae"), "r2": FIGURES[:4]}
"""Columns of figures that a metric does not have."""
FINDINGS = [
    certified(leakage("colour")),
    leakage("shape", 0.3, "INCONCLUSIVE", layer="logits"),
    continuous("age"),
    readable("smiling"),
    regression("height"),
]


@pytest.fixture
def frame() -> pd.DataFrame:
    return audit().model_copy(update={"findings": FINDINGS}).to_frame()


def test_each_finding_is_a_row_in_order(frame: pd.DataFrame) -> None:
    assert len(frame) == len(FINDINGS)
    assert [*zip(frame["role"], frame["attribute"], frame["layer"], strict=True)] == [
        (one.role, one.attribute, one.layer) for one in FINDINGS
    ]
    assert [*frame["metric"]] == [one.measurement.metric for one in FINDINGS]
    assert [*frame["strongest"]] == [one.measurement.strongest for one in FINDINGS]
    assert [*frame["test_rows"]] == [one.measurement.test_rows for one in FINDINGS]


@pytest.mark.parametrize(("place", "finding"), [*enumerate(FINDINGS)])
def test_every_figure_stands_there_with_both_ends_of_its_interval(
    frame: pd.DataFrame, place: int, finding: Finding
) -> None:
    row, measurement = frame.iloc[place], finding.measurement
    estimates = {**measurement.figures, "excess": measurement.excess}
    estimates |= {f"floor_{name}": figure for name, figure in measurement.floor.items()}
    for name, figure in estimates.items():
        assert (row[name], row[f"{name}_low"], row[f"{name}_high"]) == (figure.value, figure.low, figure.high)
    for name, guess in measurement.baseline.items():
        assert row[f"guess_{name}"] == guess
    for name in WITHOUT[measurement.metric]:
        columns = [column for column in (name, f"{name}_low", f"{name}_high") if column in frame]
        assert columns and row[columns].isna().all()


def test_a_verdict_is_put_on_what_is_private_and_a_bound_on_a_finite_code(frame: pd.DataFrame) -> None:
    private = frame["role"] == "private"
    assert [*frame.loc[private, "verdict"]] == [one.decided.verdict for one in FINDINGS if one.role == "private"]
    assert (frame.loc[private, "limit"] == 0.05).all()
    assert frame.loc[~private, ["verdict", "limit"]].isna().all(axis=None)
    assert frame["upper_bound"].notna().tolist() == [True, False, False, False, False]


def test_columns_of_figures_are_numbers_that_pandas_counts_with(frame: pd.DataFrame) -> None:
    numbers = [name for name in map(str, frame) if name.removesuffix("_low").removesuffix("_high") in FIGURES]
    assert len(numbers) == 3 * len(FIGURES)
    assert all(frame[name].dtype == np.float64 for name in [*numbers, "limit", "upper_bound"])
    assert (frame["excess_low"] <= frame["excess"]).all() and (frame["excess"] <= frame["excess_high"]).all()
    worst = frame.query("role == 'private' and metric == 'balanced_accuracy'").sort_values("excess").iloc[-1]
    assert worst["attribute"] == "colour"
    assert frame.groupby("metric")["excess"].mean().index.tolist() == ["balanced_accuracy", "r2"]


@pytest.mark.parametrize("findings", [[leakage()], [continuous()]], ids=["classes", "quantity"])
def test_columns_are_the_same_whatever_was_audited(findings: list[Finding], frame: pd.DataFrame) -> None:
    alone: AuditResult = audit().model_copy(update={"findings": findings})
    assert set(frame.columns) == set(alone.to_frame().columns)


def test_evidence_is_read_and_judged_without_pandas() -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom audit.evidence.audit_result import read_audit\n"
        f"old = Path({str(Path(__file__).parents[2] / 'support/evidence/audit-1.json')!r})\n"
        "result = read_audit(old, allow_unsealed=True)\n"
        "result._repr_html_()\nprint('pandas' in sys.modules)\nresult.to_frame()\nprint('pandas' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.split() == ["False", "True"]
