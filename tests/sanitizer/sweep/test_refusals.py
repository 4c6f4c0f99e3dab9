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
from audit.errors import DataError, EvidenceError, IreneError
from audit.model.checkpoint import load
from sanitizer.options import SweepOptions
from sanitizer.sweep.point import requests
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


@pytest.mark.parametrize("weights", [np.array([1, 2]), np.linspace(1, 2, 2), (1.0, 2.0), range(1, 3)])
def test_weights_are_taken_of_any_row_of_numbers(weights: Any) -> None:
    found = [one.weight for one in requests({"irene": weights})]
    assert found == [None, 1, 2]
    assert {*map(type, found[1:])} == {float}


def test_a_weight_of_fewer_digits_is_what_it_is_written_as() -> None:
    weights: Any = np.array([0.1, 0.5], dtype=np.float32)
    assert [one.weight for one in requests({"irene": weights})] == [None, 0.1, 0.5]


def test_a_table_of_weights_is_refused() -> None:
    with pytest.raises(IreneError, match="of type ndarray"):
        requests({"irene": np.ones((2, 2))})  # type: ignore[dict-item]
