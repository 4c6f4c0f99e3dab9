"""Nothing is trained on a model that does not do its task, or on labels in another order than its outputs."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from support.audited import Net, data

from audit.data.labelled import LabelledData
from audit.errors import DataError
from audit.model.checkpoint import load
from sanitizer.job import Recipe, TrainingJob
from sanitizer.options import SanitizeOptions
from sanitizer.run import sanitize
from sanitizer.training.task_check import require_task

OWN = "from support.audited import Net as net\n"


def job(rows: LabelledData) -> TrainingJob:
    return TrainingJob(rows, task="y", layer="head:input", private=["v"], recipe=Recipe(epochs=1, batch_size=64))


def zeroed() -> Net:
    model = Net()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return model


def test_a_model_that_does_its_task_is_trained() -> None:
    model = Net().train()
    require_task(model, job(data()))
    assert model.training, "it is left as it was found"


def test_inverted_labels_are_refused_and_their_order_is_named() -> None:
    with pytest.raises(DataError, match=r"in the order no,yes; if they do, name it by --task-classes\. Nothing was tr"):
        require_task(Net(), job(data().in_order("y", ["yes", "no"])))


def test_a_model_whose_weights_are_all_zero_is_refused() -> None:
    with pytest.raises(DataError, match=r"is not above the 5\d\.\d% of always answering.*--allow-chance"):
        require_task(zeroed(), job(data()))


def test_a_model_that_looks_at_another_column_is_refused() -> None:
    rows = data(y=np.random.default_rng(0).permutation(np.asarray(data().codes("y"))).astype(str))
    with pytest.raises(DataError, match="is not above"):
        require_task(Net(), job(rows))


def saved(model: Net, folder: Path) -> Path:
    (folder / "own.py").write_text(OWN, encoding="utf-8")
    safetensors.torch.save_file(model.state_dict(), folder / "model.safetensors")
    return folder / "model.safetensors"


def test_nothing_is_written_unless_it_is_asked_for_all_the_same(tmp_path: Path) -> None:
    path, out = saved(zeroed(), tmp_path), tmp_path / "clean.safetensors"
    was = sorted(tmp_path.iterdir())
    loaded = load(path, f"{tmp_path}/own.py:net")
    options = SanitizeOptions(epochs=0, batch_size=64, layer="head:input")
    with pytest.raises(DataError, match="Nothing was trained"):
        sanitize(loaded, data(), out, task="y", private="v", method="plain", options=options)
    assert sorted(one for one in tmp_path.iterdir() if one.name != "__pycache__") == was
    allowed = SanitizeOptions(epochs=1, batch_size=64, layer="head:input", allow_chance=True)
    sanitize(loaded, data(), out, task="y", private="v", method="plain", options=allowed)
    assert out.is_file()
