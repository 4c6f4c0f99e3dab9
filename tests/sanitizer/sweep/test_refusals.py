"""What a sweep refuses before any work: rows that train and are audited at once, and points of another protocol."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.audited import Net, data
from support.planted import FEW

from audit.data.labelled import LabelledData
from audit.errors import DataError, EvidenceError
from audit.model.checkpoint import load
from sanitizer.options import SweepOptions
from sanitizer.sweep.run import sweep

QUICK = SweepOptions(epochs=0, batch_size=64, layer="head:input", settings=replace(FEW, attackers="logistic"))


def swept(folder: Path, train: LabelledData, audited: LabelledData, options: SweepOptions = QUICK) -> int:
    """Sweep a net that needs no training over the untouched point and a plain one; return how many were made."""
    torch.save(Net().state_dict(), folder / "net.pt")
    made = sweep(
        lambda: load(folder / "net.pt", "support.audited:Net"),
        train,
        audited,
        folder / "sweep.json",
        methods="plain",
        task="y",
        private="v",
        options=options,
    )
    return sum(is_new for _, is_new in made)


def test_rows_that_train_are_not_audited(tmp_path: Path) -> None:
    rows = data()
    for again in (rows, rows.take(np.arange(len(rows)))):
        with pytest.raises(DataError, match="800 rows of arrays are given to train on and to audit on"):
            swept(tmp_path, rows, again)
    assert not (tmp_path / "sweep.json").exists()


def test_other_rows_of_the_same_labels_are_audited(tmp_path: Path) -> None:
    rows = data()
    assert isinstance(rows.inputs, torch.Tensor)
    assert swept(tmp_path, rows, replace(rows, inputs=rows.inputs + 0.01)) == 2


def test_points_of_another_protocol_are_not_added(tmp_path: Path) -> None:
    rows = data()
    others = replace(rows, inputs=torch.as_tensor(rows.inputs) + 0.01)
    assert swept(tmp_path, rows, others) == 2
    was = (tmp_path / "sweep.json").read_bytes()
    changes: dict[str, Any] = {
        "min_class": 11, "merge_rare": "other", "fit_rows": 300, "test_rows": 90, "bootstrap": 101, "null_refits": 3,
        "null_rows": 501,
    }  # fmt: skip
    for name, value in changes.items():
        other = replace(QUICK, settings=replace(QUICK.settings, **{name: value}))
        with pytest.raises(EvidenceError, match=rf"another {name} \(.* there, {value} now\)"):
            swept(tmp_path, rows, others, other)
    with pytest.raises(EvidenceError, match=r"another part of what the model returns \(None there, 1 now\)"):
        swept(tmp_path, rows, others, replace(QUICK, output="1"))
    assert (tmp_path / "sweep.json").read_bytes() == was
    assert swept(tmp_path, rows, others) == 0


def test_no_budget_of_seconds_decides_how_a_point_is_measured(tmp_path: Path) -> None:
    rows = data()
    with pytest.raises(DataError, match="measured alike, and a budget of seconds"):
        swept(tmp_path, rows, rows, replace(QUICK, settings=replace(QUICK.settings, budget=9.0)))
