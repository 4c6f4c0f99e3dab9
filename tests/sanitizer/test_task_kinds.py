"""What a model that is sanitized may be for: a quantity, and ordered classes; or a line says which methods can."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.quantities import ages, deviations, steps
from torch import nn

from audit.data.labelled import LabelledData, labelled
from audit.errors import DataError, IreneError
from audit.evidence.audit_result import Sanitizing
from audit.model.checkpoint import load
from sanitizer.method_table import METHODS
from sanitizer.methods.base import Rows
from sanitizer.methods.plain import Plain
from sanitizer.options import SanitizeOptions, SweepOptions
from sanitizer.run import sanitize
from sanitizer.sweep.run import sweep
from sanitizer.training.reweighting import correlated

QUICK = SanitizeOptions(epochs=1, batch_size=128)
NETS = "support.quantities"


def rows(n: int = 600) -> LabelledData:
    x = torch.randn(n, 5, generator=torch.Generator().manual_seed(0))
    age = 40 + 10 * (x[:, 0] + 0.3 * torch.randn(n, generator=torch.Generator().manual_seed(1)))
    level = np.digitize(x[:, 0].numpy(), [-1, 0, 1])
    return labelled(x, {"age": age.double().numpy(), "level": level, "v": (x[:, 1] > 0).long().numpy()})


def made(folder: Path, net: str, task: str, method: str | None, options: SanitizeOptions = QUICK) -> Sanitizing:
    place = folder / "net.pt"
    torch.save({"ages": ages, "deviations": deviations, "steps": steps}[net]().state_dict(), place)
    loaded = load(place, f"{NETS}:{net}")
    return sanitize(loaded, rows(), folder / "clean.pt", task=task, private="v", method=method, options=options)


@pytest.mark.parametrize(
    "method", ["irene", pytest.param("rich", marks=pytest.mark.slow), pytest.param("leace", marks=pytest.mark.slow)]
)
def test_a_quantity_is_kept_by_its_squared_error_and_chosen_by_its_r2(tmp_path: Path, method: str) -> None:
    done = made(tmp_path, "ages", "age", method)
    assert done.settings["task_is"] == "a quantity" and done.layer == "head:input"
    (epoch,) = done.trace
    assert epoch.task_loss < 0.35, "in units of the variance"
    assert epoch.task_accuracy == pytest.approx(1 / 1.09, abs=0.06), "the R² that the noise allows"
    clean = load(tmp_path / "clean.pt", f"{NETS}:ages").module.eval()
    x = torch.stack([rows().inputs[row] for row in range(600)])
    with torch.no_grad():
        assert float(torch.corrcoef(torch.stack([clean(x)[:, 0], x[:, 0]]))[0, 1]) > 0.97, "still in its own unit"


@pytest.mark.slow
def test_a_quantity_is_released_without_a_method_named(tmp_path: Path) -> None:
    assert made(tmp_path, "ages", "age", None, replace(QUICK, epochs=0)).method == "rich"


def test_a_rich_release_keeps_the_direction_of_a_number_without_a_step_of_training(tmp_path: Path) -> None:
    made(tmp_path, "ages", "age", "rich", replace(QUICK, epochs=0))
    clean = load(tmp_path / "clean.pt", f"{NETS}:ages").module.eval()
    x = torch.stack([rows().inputs[row] for row in range(600)])
    with torch.no_grad():
        assert float(torch.corrcoef(torch.stack([clean(x)[:, 0], x[:, 0]]))[0, 1]) > 0.97


@pytest.mark.parametrize("method", ["irene", pytest.param("codebook", marks=pytest.mark.slow)])
def test_thresholds_are_kept_as_thresholds(tmp_path: Path, method: str) -> None:
    done = made(tmp_path, "steps", "level", method, replace(QUICK, scores="ordinal"))
    assert done.trace[0].task_accuracy is not None and done.trace[0].task_accuracy > 0.9
    assert done.settings["scores"] == "ordinal"
    clean = load(tmp_path / "clean.pt", f"{NETS}:steps").module.eval()
    x = torch.stack([rows().inputs[row] for row in range(600)])
    with torch.no_grad():
        said = (clean(x) > 0).sum(dim=1)
    assert float((said == torch.from_numpy(rows().codes("level"))).double().mean()) > 0.9


@pytest.mark.parametrize(
    ("net", "task", "method", "options", "message"),
    [
        (
            "ages",
            "age",
            "codebook",
            QUICK,
            "codebook trains tasks of classes and ordinal, and 'age' is a quantity.*--method k",
        ),
        ("ages", "age", "lff", QUICK, "lff trains tasks of classes, and 'age' is a quantity.*leave --task out"),
        ("steps", "level", "end", replace(QUICK, scores="ordinal"), "'level' is of ordered classes with thresholds"),
        (
            "ages",
            "age",
            "irene",
            replace(QUICK, reweigh=True),
            "--reweigh draws rows by classes of the task, and",
        ),
        ("deviations", "age", "irene", QUICK, r"in another unit.*Nothing was trained"),
        ("steps", "age", "irene", QUICK, r"shape \[\d+, 3\] and task 'age' is a quantity"),
        ("steps", "level", "irene", QUICK, "--scores ordinal, if these are thresholds"),
    ],
    ids=["codebook", "debiasing", "ordinal", "reweigh", "unit", "outputs", "not said"],
)
def test_what_cannot_be_trained_is_told_in_one_line(
    tmp_path: Path, net: str, task: str, method: str | None, options: SanitizeOptions, message: str
) -> None:
    with pytest.raises(IreneError, match=message) as caught:
        made(tmp_path, net, task, method, options)
    assert "\n" not in str(caught.value) and not (tmp_path / "clean.pt").exists()


def test_a_sweep_of_a_quantity_is_refused_in_one_line(tmp_path: Path) -> None:
    torch.save(ages().state_dict(), tmp_path / "net.pt")
    asked = sweep(
        lambda: load(tmp_path / "net.pt", f"{NETS}:ages"), rows(), rows(), tmp_path / "s.json",
        methods="irene", task="age", private="v", options=SweepOptions(epochs=1, batch_size=128),
    )  # fmt: skip
    with pytest.raises(DataError, match="A sweep draws accuracies, and 'age' is a quantity"):
        list(asked)


def test_the_loss_of_steps_is_of_each_step_and_that_of_a_number_of_its_error() -> None:
    scores = torch.tensor([[0.0, 2.0, 1.0], [0.0, -1.0, -4.0]])
    y = torch.tensor([1, 0])
    ordinal = Rows(scores, scores, scores, y, {}, is_ordinal=True)
    softplus = nn.functional.softplus
    expected = (softplus(torch.tensor([-2.0, -1.0, -1.0, -3.0]))).sum() / 2
    torch.testing.assert_close(ordinal.task_loss, expected)
    number = Rows(scores, scores, scores[:, 1:2], y, {}, wanted=torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(number.task_loss, torch.tensor(2.5))
    plain = Rows(scores, scores, scores, y, {})
    torch.testing.assert_close(plain.task_loss, nn.functional.cross_entropy(scores, y))


def test_no_hint_of_reweighting_is_given_for_a_quantity() -> None:
    assert correlated(rows(), "age", ["v"]) == {} and "quantity" in Plain.tasks and "lff" in METHODS
