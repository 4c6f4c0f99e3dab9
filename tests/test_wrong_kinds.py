"""What is given in Python in another kind than is wanted is read where that is plain, or told in one line."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.gates import verdicts
from torch import nn

import irene
from audit.model.checkpoint import LoadedModel
from audit.model.state_dict import Weights

ROWS = irene.labelled(torch.zeros(40, 3), {"v": ["a", "b"] * 20, "y": ["c", "d"] * 20})
COLUMNS = {"v": ["a", "b"] * 20}
MODEL: Any = nn.Linear(3, 2)
Z = {"z": ROWS.inputs}
SWEPT: dict[str, Any] = {"methods": "irene", "task": "y", "private": "v"}
NAN, GIVEN = float("nan"), {"limit": 0.1}
Wrong = Callable[[Any], object]


def weighed(weights: Any) -> dict[str, Any]:
    return SWEPT | {"methods": {"irene": weights}}


def loaded() -> LoadedModel:
    """Return a model as a file would give it."""
    path, sha = Path("net.pt"), "0" * 64
    return LoadedModel(MODEL, Weights(path, sha, MODEL.state_dict(), {}), "net", "state_dict", path, sha)


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
        (lambda _: irene.Encoder(MODEL, pool="avg"), "Unknown pool 'avg'"),  # type: ignore[arg-type]
        (lambda _: irene.Encoder(MODEL, pool=None), "Unknown pool 'None'"),  # type: ignore[arg-type]
        (lambda _: irene.Encoder(MODEL, scores="logit"), "Did you mean 'logits'"),  # type: ignore[arg-type]
        (lambda _: irene.Encoder(MODEL, padding="foo"), "Unknown padding 'foo'"),  # type: ignore[arg-type]
        (lambda _: irene.Encoder(MODEL, padding=1.5), "Unknown padding '1.5'"),  # type: ignore[arg-type]
        (lambda _: irene.Encoder(MODEL, output=1), "part of the model's output is 1"),  # type: ignore[arg-type]
        (lambda _: irene.Encoder(MODEL, batch_size=0), "batch_size is 0. Give 1 or more"),
        (lambda _: irene.Encoder(MODEL, fixed_batch=0), "fixed_batch is 0"),
        (lambda _: irene.Encoder(MODEL, workers=-1), "workers is -1"),
        (lambda _: irene.Encoder(MODEL, passes=0), "passes is 0"),
        (lambda _: irene.Settings(merge_rare=3), "merge_rare is 3. Give a text, or None"),  # type: ignore[arg-type]
        (lambda _: irene.Settings(keep_identity=5), "keep_identity is 5"),  # type: ignore[arg-type]
        (lambda _: irene.Settings(ceiling="no"), "ceiling is 'no'. Give True or False"),  # type: ignore[arg-type]
        (lambda _: irene.Settings(where=2), "where is 2"),  # type: ignore[arg-type]
        (lambda _: irene.Settings(bootstrap=True), "bootstrap is True"),
        (lambda _: irene.Settings(limit=True), "limit is True. Give 0 to 1"),
        (lambda _: irene.gate(verdicts("FAIL"), limit=False), "by a limit of False"),
        (lambda _: irene.plan(verdicts("FAIL"), rows=9, limit=True), "A limit of True is none"),
        (lambda _: irene.plan(verdicts("FAIL"), rows=True), "True rows can fit no release"),
        (lambda _: irene.Provenance(command=5), "of type int"),  # type: ignore[arg-type]
        (lambda _: irene.Provenance(notes=[5]), "A note is a text"),  # type: ignore[list-item]
        (lambda given: irene.Provenance(checkpoint=given), "The checkpoint of the provenance is of type dict"),
        (lambda _: irene.Provenance(limit_set_by="me"), "Unknown origin of a limit 'me'"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(pool="avg"), "Unknown pool 'avg'"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(scores="x"), "Unknown kind of scores 'x'"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(optimizer="adm"), "Did you mean 'adam'"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(schedule="step"), "Did you mean 'steps'"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(choose="first"), "Unknown choose of the training"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(precision="16"), "Unknown precision"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(augment="flips"), "Did you mean 'flip'"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(reweigh="no"), "reweigh is 'no'"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(resume="no"), "resume is 'no'"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(allow_chance="no"), "allow_chance is 'no'"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(layer=3), "layer is 3"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(device=3), "the device is of type int"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(track=None), "track) is None"),  # type: ignore[arg-type]
        (lambda _: irene.Provenance(track=None), "track) is None"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(seed=2**40), "seed is 1099511627776. Give one below 2³²"),
        (lambda _: irene.SweepOptions(seed=2**32), "Give one below 2³²"),
        (lambda _: irene.SweepOptions(keep=None), "A name is a text, and None"),  # type: ignore[arg-type]
        (lambda _: irene.SanitizeOptions(freeze=3), "A name is a text, and 3"),  # type: ignore[arg-type]
        (lambda given: irene.SanitizeOptions(unlabelled=given), "The data is a dict"),
        (lambda given: irene.SweepOptions(settings=given), "The settings are of type dict"),
        (lambda _: irene.SweepOptions(budget=-1), "budget is -1"),
        (lambda _: irene.audit(MODEL, ROWS, private="v", task=["y"]), "A name is a text"),  # type: ignore[arg-type]
        (lambda given: [*irene.sweep(loaded, given, ROWS, "a.json", **SWEPT)], "The data is a dict"),
        (lambda given: [*irene.sweep(loaded, ROWS, given, "a.json", **SWEPT)], "The data is a dict"),
        (lambda _: [*irene.sweep(loaded, ROWS, ROWS, 5, **SWEPT)], "An output is named by its path, and 5"),  # type: ignore[arg-type]
        (lambda _: [*irene.sweep(loaded, ROWS, ROWS, "a.json", **weighed(5))], "The weights of irene are of type int"),
        (lambda _: [*irene.sweep(loaded, ROWS, ROWS, "a.json", **weighed(["a"]))], "A weight of irene is 'a'"),
        (lambda _: irene.sanitize(loaded(), ROWS, 5, task="y", private="v"), "An output is named by its path"),  # type: ignore[arg-type]
        (lambda _: irene.sanitize(loaded(), ROWS, "new.pt", task=["y"], private="v"), "A name is a text"),  # type: ignore[arg-type]
        (lambda _: irene.sanitize(loaded(), ROWS, "new.pt", private="v", method=5), "The method is a int"),  # type: ignore[arg-type]
        (lambda _: irene.sanitize_embeddings(Z, ROWS, 5, private="v"), "An output is named by its path"),  # type: ignore[arg-type]
        (lambda _: irene.sanitize_embeddings(Z, ROWS, "n.npz", private="v", method=5), "not a method"),  # type: ignore[arg-type]
        (lambda _: irene.load("net.pt", "a:b", 5), "The arguments of a factory are of type int"),  # type: ignore[arg-type]
        (lambda _: irene.load("net.pt", "a:b", weights_key=5), "The key of the weights is 5"),  # type: ignore[arg-type]
        (lambda _: irene.load("net.pt", "a:b", allow_pickle="no"), "allow_pickle is 'no'"),  # type: ignore[arg-type]
        (lambda _: irene.load("net.pt", "a:b", skip_types=5), "A type to skip is a text"),  # type: ignore[arg-type]
        (lambda _: irene.Losses(task="a"), "The largest loss of task is 'a'"),  # type: ignore[arg-type]
        (lambda _: irene.Losses(allow_chance="no"), "allow_chance of the losses is 'no'"),  # type: ignore[arg-type]
        (lambda _: irene.labelled(ROWS.inputs, COLUMNS, continuous=[1]), "A continuous column is a text"),  # type: ignore[list-item]
        (lambda _: irene.labelled(ROWS.inputs, COLUMNS, classes=1), "A column of classes is a text"),  # type: ignore[arg-type]
        (lambda _: irene.labelled(ROWS.inputs, COLUMNS, missing=-1), "A word that means missing is a text"),  # type: ignore[arg-type]
        (lambda _: irene.labelled(ROWS.inputs, COLUMNS, missing=[None, "?"]), "A word that means missing"),  # type: ignore[list-item]
        (lambda _: irene.labelled(ROWS.inputs, COLUMNS, name=5), "The name of the rows is of type int"),  # type: ignore[arg-type]
        (lambda _: irene.labelled(ROWS.inputs, COLUMNS, group=[0, 1] * 20, group_name=5), "name of their groups is 5"),  # type: ignore[arg-type]
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


def test_whole_numbers_of_other_kinds_are_taken_for_whole_numbers() -> None:
    settings = irene.Settings(bootstrap=np.int64(50), min_class=4.0)  # type: ignore[arg-type]
    assert (type(settings.bootstrap), settings.min_class, type(settings.min_class)) == (int, 4, int)
    assert type(irene.SanitizeOptions(epochs=2.0).epochs) is int  # type: ignore[arg-type]
    assert type(irene.Encoder(MODEL, batch_size=np.int32(8)).batch_size) is int  # type: ignore[arg-type]
    assert irene.SanitizeOptions(freeze="encoder").freeze == ("encoder",)  # type: ignore[arg-type]
    assert irene.Provenance(notes="one note").notes == ("one note",)


@pytest.mark.parametrize(("given", "taken"), [(np.float32(0.1), 0.1), (Fraction(1, 20), 0.05), (1, 1.0)])
def test_numbers_of_other_kinds_are_taken_for_floats_as_they_are_written(given: Any, taken: float) -> None:
    training, losses = irene.SanitizeOptions(lr=given, weight_decay=given, alpha=given), irene.Losses(given, given)
    found: list[Any] = [training.lr, training.weight_decay, training.alpha, losses.task, losses.kept]
    found += [irene.Settings(limit=given).limit]
    assert found == [taken] * len(found)
    assert irene.Settings(budget=given + 4).budget == pytest.approx(taken + 4, rel=1e-12)
    assert {*map(type, found)} == {float}
    assert type(irene.SweepOptions(budget=np.int64(2**20)).budget) is int  # type: ignore[arg-type]


def test_a_limit_of_another_kind_judges_as_the_float_does() -> None:
    audit = verdicts("FAIL")
    assert irene.gate(audit, limit=np.float32(0.1)).audit.protocol.limit == 0.1  # type: ignore[arg-type]
    assert irene.plan(audit, rows=500, limit=Fraction(1, 20)) == irene.plan(audit, rows=500, limit=0.05)  # type: ignore[arg-type]
