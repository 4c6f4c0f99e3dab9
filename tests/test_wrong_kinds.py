"""What is given in Python in another kind than is wanted is read where that is plain, or told in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.gates import verdicts
from torch import nn

import irene

ROWS = irene.labelled(torch.zeros(40, 3), {"v": ["a", "b"] * 20, "y": ["c", "d"] * 20})
MODEL: Any = nn.Linear(3, 2)
NAN, GIVEN = float("nan"), {"limit": 0.1}
Wrong = Callable[[Any], object]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda given: irene.audit(MODEL, ROWS, private="v", settings=given), "The settings are of type dict"),
        (
            lambda given: irene.audit_embeddings({"z": ROWS.inputs}, ROWS, private="v", settings=given),
            "settings are of",
        ),
        (lambda given: irene.audit(MODEL, ROWS, private="v", provenance=given), "The provenance is of type dict"),
        (lambda given: irene.sanitize(given, ROWS, "new.pt", task="y", private="v"), "The model is of type dict"),
        (lambda _: irene.sanitize(MODEL, ROWS, "new.pt", task="y", private="v"), "The model is of type Linear"),
        (lambda given: irene.sanitize(MODEL, ROWS, "new.pt", private="v", options=given), "options are of type dict"),
        (
            lambda given: [*irene.sweep(given, ROWS, ROWS, "new.json", methods="irene", task="y", private="v")],
            "lambda:",
        ),
        (lambda _: [*irene.sweep(MODEL, ROWS, ROWS, "new.json", methods="irene", task="y", private="v")], "a function"),
        (irene.gate, "The audit is of type dict"),
        (lambda given: irene.gate(verdicts("FAIL"), given), "The audit is of type dict"),
        (lambda given: irene.write_report("new.html", given), "The audit is of type dict"),
        (lambda given: irene.write_report(given, verdicts("FAIL")), "by its path first, and dict is none"),
        (lambda given: irene.write_audit(given, "new.json"), "The audit is of type dict"),
        (lambda given: irene.write_audit(verdicts("FAIL"), given), "this is of type dict"),
        (irene.read_audit, "this is of type dict"),
        (lambda given: irene.plan(given, rows=9), "The audit is of type dict"),
        (lambda _: irene.plan(verdicts("FAIL"), rows="9"), "9 rows can fit no release"),  # type: ignore[arg-type]
        (lambda _: irene.plan(verdicts("FAIL"), rows=NAN), "nan rows can fit no release"),  # type: ignore[arg-type]
        (lambda _: irene.plan(verdicts("FAIL"), rows=9, limit=NAN), "A limit of nan is none"),
        (lambda _: irene.gate(verdicts("FAIL"), limit="5"), "by a limit of 5"),  # type: ignore[arg-type]
        (lambda _: irene.labelled(ROWS.inputs, {0: np.arange(40) % 2}), "A column is named 0"),  # type: ignore[dict-item]
        (lambda _: irene.audit(MODEL, ROWS, private="v", task=0), "A name is a text"),  # type: ignore[arg-type]
        (lambda _: irene.Settings(seed=NAN), "seed is nan"),  # type: ignore[arg-type]
        (lambda _: irene.Settings(bootstrap=float("inf")), "bootstrap is inf"),  # type: ignore[arg-type]
        (lambda _: irene.Settings(backend=None), "The backend is None"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(epochs=2.5), "epochs is 2.5"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(lr=NAN), "lr is nan"),
    ],
)
def test_it_is_told_in_one_line(call: Wrong, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(irene.IreneError) as error:
        call(GIVEN)
    assert told in str(error.value)
    assert not [*tmp_path.iterdir()]


def test_the_file_of_an_audit_is_as_good_as_the_audit(tmp_path: Path) -> None:
    audit, path = verdicts("FAIL"), tmp_path / "audit.json"
    irene.write_audit(audit, path)
    assert irene.gate(path).verdict == irene.gate(str(path)).verdict == irene.gate(audit).verdict
    assert irene.plan(path, rows=500) == irene.plan(audit, rows=500)
    irene.write_report(tmp_path / "file.html", str(path))
    irene.write_report(tmp_path / "audit.html", irene.read_audit(path))
    assert (tmp_path / "file.html").read_bytes() == (tmp_path / "audit.html").read_bytes()
