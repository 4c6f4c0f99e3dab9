"""What a model may be for: a quantity, ordered classes with thresholds between them; each is measured, or asked for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.audited import N, Net, data, run, table
from support.planted import FEW, classes, measured, noise
from torch import Tensor, nn

from audit.data.columns import Column, Quantity
from audit.data.labelled import LabelledData, labelled
from audit.errors import DataError, EvidenceError
from audit.evidence.audit_result import AuditResult, QuantityTask, read_audit, write_audit
from audit.evidence.checks.contradictions import contradictions
from audit.evidence.headline import task_sentence
from audit.model.forward import Encoder
from audit.model.structure.scores import staircase
from audit.protocol.audited_rows import audited
from audit.protocol.baselines import Baselines, task_labels
from audit.protocol.splits import split_rows
from audit.run import audit_embeddings

QUICK = replace(FEW, attackers=("logistic",))


class Ages(nn.Module):
    """Its bottleneck is its input; it says what `says` makes of the age that it sees there."""

    def __init__(self, outputs: int = 1, slope: float = 10.0, offset: float = 40.0) -> None:
        super().__init__()
        self.encoder, self.head = nn.Linear(6, 6), nn.Linear(6, outputs)
        with torch.no_grad():
            self.encoder.weight.copy_(torch.eye(6))
            self.encoder.bias.zero_()
            self.head.weight.zero_()
            self.head.weight[-1, 3] = slope
            self.head.bias.fill_(offset)

    def forward(self, x: Tensor) -> Tensor:
        said: Tensor = self.head(self.encoder(x))
        return said


class Steps(nn.Module):
    """Thresholds at -1, 0 and 1 of what it sees of the age; with `odd`, the last is passed before the others."""

    def __init__(self, *, odd: bool = False) -> None:
        super().__init__()
        self.encoder, self.score = nn.Linear(6, 6), nn.Linear(6, 1, bias=False)
        self.at = nn.Parameter(torch.tensor([1.0, 0.0, 0.5 if odd else -1.0]))
        with torch.no_grad():
            self.encoder.weight.copy_(torch.eye(6))
            self.encoder.bias.zero_()
            self.score.weight.copy_(torch.eye(1, 6).roll(3, dims=1))

    def forward(self, x: Tensor) -> Tensor:
        said: Tensor = 3 * (self.score(self.encoder(x)) + self.at)
        return said


def levels() -> list[int]:
    """Of four, by what the input holds of the age."""
    return [int(one) for one in np.digitize(table()[0][:, 3].numpy(), [-1, 0, 1])]


def quantity_task(result: AuditResult) -> QuantityTask:
    assert isinstance(result.task, QuantityTask)
    return result.task


@pytest.fixture(scope="module")
def of_ages() -> AuditResult:
    """Of a model of ages: no line tells who is far from 40, and bins of its prediction do."""
    far = ["far" if abs(one - 40) > 8 else "near" for one in table()[1]["age"]]
    return run(data(far=far), model=Ages(), task="age", private="far", settings=QUICK)


def test_a_task_that_is_a_quantity_is_measured_by_r2_and_its_predictions_bins_are_the_floor(
    of_ages: AuditResult, tmp_path: Path
) -> None:
    result = of_ages
    task, (one,) = quantity_task(result), result.findings
    assert one.layer == "head:input", "what makes the number is the layer behind the bottleneck"
    assert task.r2.value == pytest.approx(0.8, abs=0.04) and task.r2.low < task.r2.value < task.r2.high
    assert task.mae.value == pytest.approx(4.0, abs=0.4) and task.mae_of_median == pytest.approx(8.9, abs=0.9)
    assert one.measurement.floor_score.value > 0.7, "a guess is one half"
    assert task.bins["far"] > 2 and any("cut at quantiles" in told for told in result.warnings)
    assert any("was taken for 'age' itself, in the unit of the column" in told for told in result.warnings)
    assert task_sentence(task).startswith("Task age: R² 0.7") and not [*contradictions(result)]
    write_audit(result, tmp_path / "a.json")
    assert read_audit(tmp_path / "a.json").task == task


def test_evidence_whose_floor_is_more_than_the_bins_can_tell_contradicts_itself(of_ages: AuditResult) -> None:
    result, task = of_ages, quantity_task(of_ages)
    for forged, fault in (
        ({"bins": {"far": 1}}, "its 1 bins cannot tell as much of far"),
        ({"r2": task.r2.model_copy(update={"value": 1.5, "high": 1.5})}, "an R² is above 1"),
        ({"r2": task.r2.model_copy(update={"low": task.r2.value})}, "not that of its draws"),
        ({"rows": 10**6}, "more rows"),
    ):
        told = [*contradictions(result.model_copy(update={"task": task.model_copy(update=forged)}))]
        assert any(fault in one for one in told), forged
    with pytest.raises(EvidenceError, match="'age' is a quantity and has no accuracy"):
        _ = task.accuracy


def test_what_a_predicted_number_tells_of_a_private_one_is_the_mean_of_its_bin() -> None:
    said = noise(1500, 1)[:, 0]
    private = Quantity(said**2 + 0.3 * noise(1500, 1, seed=3)[:, 0])
    found = measured(noise(1500, seed=4), private, baselines=Baselines(predicted=said)).measurement
    assert found.floor_score.value > 0.7 and found.score.value < 0.1
    nothing = measured(noise(1500, seed=4), private, baselines=Baselines(predicted=noise(1500, 1, seed=9)[:, 0]))
    assert abs(nothing.measurement.floor_score.value) < 0.02


def test_a_predicted_number_that_is_independent_of_the_attribute_leaves_the_floor_at_a_guess() -> None:
    v = classes(np.arange(1500) % 3)
    found = measured(noise(1500), v, baselines=Baselines(predicted=noise(1500, 1, seed=9)[:, 0])).measurement
    assert found.floor_score.value == pytest.approx(1 / 3)


@pytest.mark.parametrize("kind", ["classes", "quantity"])
def test_no_test_row_has_a_say_in_how_a_prediction_is_cut(kind: str) -> None:
    said = noise(1500, 1)[:, 0]
    v = np.sin(3 * said) + 0.2 * noise(1500, 1, seed=3)[:, 0]
    column: Column | Quantity = Quantity(v) if kind == "quantity" else classes((v > 0).astype(np.int64))
    splits = split_rows(np.arange(1500), [column], seed=0)
    found = audited("v", column, splits, FEW)
    first = task_labels(Baselines(predicted=said, y=said + 1), found)
    test = found.rows[2]
    labels, moved = found.labels.copy(), said.copy()
    labels[test] = np.random.default_rng(1).permutation(labels[test])
    moved[test] = 0.0
    other = task_labels(Baselines(predicted=moved, y=said + 1), replace(found, labels=labels))
    assert first.bins == other.bins and first.bins is not None and first.bins >= 8
    assert first.predicted is not None and other.predicted is not None and first.y is not None
    rest = np.concatenate(found.rows[:2])
    np.testing.assert_array_equal(first.predicted[rest], other.predicted[rest])
    assert len(np.unique(first.y)) == first.bins, "the truth is cut into as many"


def test_what_z_adds_to_a_task_that_is_a_quantity_is_beside_its_true_value() -> None:
    said = noise(1500, 1)[:, 0]
    v, z = classes((said > 0).astype(np.int64)), np.concatenate([said[:, None], noise(1500, 2, seed=7)], axis=1)
    given = measured(z, v, baselines=Baselines(predicted=said, y=said), settings=QUICK).measurement.figures[
        "given_task"
    ]
    assert given.value < 0.05, "the true value tells all of it"
    other = Baselines(y=noise(1500, 1, seed=8)[:, 0])
    alone = measured(z, v, baselines=other, settings=QUICK)
    assert alone.measurement.figures["given_task"].value > 0.7


def test_a_model_that_predicts_in_another_unit_is_told_by_what_it_is_off() -> None:
    told = run(model=Ages(slope=1.0, offset=0.0), task="age").warnings
    (unit,) = [one for one in told if "in another unit, such as" in one]
    assert "'age'" in unit and "× answer + 39" in unit
    assert any("is not above the 0 of answering the mean" in one for one in told)


def test_one_of_several_outputs_may_be_the_quantity() -> None:
    result = run(model=Encoder(Ages(outputs=3), output="2"), task="age")
    assert quantity_task(result).r2.value > 0.7
    assert any("what the model returns as '2' was taken for 'age' itself" in one for one in result.warnings)


def whole() -> list[int]:
    return [round(one) for one in table()[1]["age"]]


def of_words() -> LabelledData:
    return data(level=[("low", "mid", "more", "most")[one] for one in levels()])


@pytest.mark.parametrize(
    ("model", "given", "task", "message"),
    [
        (Ages(outputs=3), data(), "age", r"shape \[3, 3\] and task 'age' is a quantity.*--model-output 0"),
        (Ages(), data(age=whole()), "age", "task 'age' has .* classes.*or say --continuous age, if the model predicts"),
        (Encoder(Ages(), scores="logits"), data(), "age", "'age' is a quantity, and --scores logits is of classes"),
        (Ages(), data(age=[-999, *table()[1]["age"][1:]]), "age", "Task column 'age' holds -999 in fewer than 10 rows"),
        (Ages(), of_words(), "level", r"those that no row has, too\.$"),
        (Steps(), data(level=levels()), "level", "or say --scores ordinal, if these are thresholds"),
        (Encoder(Steps(), scores="ordinal"), of_words(), "level", "in the alphabet's order.*--task-classes"),
        (Encoder(Ages(3), scores="ordinal"), data(level=whole()), "v", "the classes of 'v' are f, m"),
        (
            Encoder(Ages(5), scores="ordinal"),
            data(level=levels()),
            "level",
            "4 ordered classes of 'level' have 3",
        ),
    ],
    ids=[
        "outputs",
        "undecided",
        "scores",
        "a code",
        "a class by name",
        "thresholds",
        "words",
        "no order",
        "other classes",
    ],
)
def test_an_output_and_a_task_that_do_not_fit_are_asked_for_in_one_line(
    model: nn.Module | Encoder, given: LabelledData, task: str, message: str
) -> None:
    with pytest.raises(DataError, match=f"(?i){message}") as caught:
        run(given, model=model, task=task, private="w")
    assert "\n" not in str(caught.value)


def test_thresholds_between_ordered_classes_answer_how_many_are_passed() -> None:
    result = run(data(level=levels()), model=Encoder(Steps(), scores="ordinal"), task="level")
    assert result.findings[0].layer == "score:input", "thresholds of its own are no layer"
    assert result.task is not None and result.task.accuracy.value == 1 and result.task.answered == 4
    (told,) = [one for one in result.warnings if "thresholds between the classes 0,1,2,3 of 'level'" in one]
    assert "as many as are above 0" in told


def test_thresholds_of_words_go_by_the_order_that_is_named() -> None:
    given = of_words().in_order("level", ["low", "mid", "more", "most"])
    result = run(given, model=Encoder(Steps(), scores="ordinal"), task="level")
    assert result.task is not None and result.task.accuracy.value == 1


def test_the_share_of_rows_whose_thresholds_are_out_of_order_is_told() -> None:
    given = data(level=levels())
    result = run(given, model=Encoder(Steps(odd=True), scores="ordinal"), task="level")
    assert any("in 1e+02 % of the rows" in one or "in 100 % of the rows" in one for one in result.warnings)


def test_thresholds_as_probabilities_are_cut_at_a_half() -> None:
    model = nn.Sequential(Steps(), nn.Sigmoid())
    result = run(data(level=levels()), model=Encoder(model, scores="ordinal"), task="level", layer="0.score:input")
    assert result.task is not None and result.task.accuracy.value == 1
    assert any("above 0.5, since a sigmoid makes them" in one for one in result.warnings)


def test_thresholds_that_are_taken_for_scores_of_fewer_classes_are_told_by_their_order() -> None:
    fewer = [min(one, 2) for one in levels()]  # no row is of the highest class
    told = run(data(level=fewer), model=Steps(), task="level", private="v").warnings
    assert any("fall from one to the next in every row, as thresholds" in one for one in told)


def test_steps_and_their_staircase_name_the_same_class() -> None:
    steps = torch.randn(50, 4).sort(dim=1, descending=True).values
    assert (staircase(steps).argmax(dim=1) == (steps > 0).sum(dim=1)).all()


def test_embeddings_with_a_predicted_quantity_have_it_for_their_floor() -> None:
    x, columns = table()
    said = 40 + 10 * x[:, 3].double().numpy()
    columns["far"] = ["far" if abs(one - 40) > 8 else "near" for one in columns["age"]]

    def audited_as(predicted: Any, task: str | None = "age") -> AuditResult:
        given = labelled(x, {**columns, "said": predicted})
        z = {"z": x.numpy()}
        return audit_embeddings(z, given, private="far", task=task, predicted="said", settings=QUICK)

    result = audited_as(said)
    assert quantity_task(result).r2.value > 0.7 and result.findings[0].measurement.floor_score.value > 0.7
    assert quantity_task(audited_as(said.round().astype(int))).r2.value > 0.7, "whole numbers are numbers here"
    assert audited_as(said, task=None).findings[0].measurement.floor_score.value > 0.7
    with pytest.raises(DataError, match="'said' is no quantity, and 'age' is one"):
        audited_as(["old" if one > 40 else "young" for one in said])
    with pytest.raises(DataError, match="'said' is a quantity, and task 'v' is of classes"):
        audited_as(said, task="v")
    with pytest.raises(DataError, match="'said' is not known in all rows"):
        audited_as([None, *said[1:]])


@pytest.mark.parametrize(
    ("task", "known", "fact"),
    [
        ("y", 4, "test rows have a value of"),
        ("age", 4, "test rows have a value of"),
        ("age", N, "is 7.5 in all of the test"),
    ],
)
def test_a_task_that_few_test_rows_know_is_refused_before_the_pass(task: str, known: int, fact: str) -> None:
    model, usual = Net(), 7.5 if task == "age" else "yes"
    values = np.array([usual] * N, dtype=object)
    values[:2] = (1.25, 2.5) if task == "age" else ("yes", "no")
    values[known:] = None
    given = data(**{task: list(values)})
    with pytest.raises(DataError, match=fact):
        run(given, model=model, task=task, settings=QUICK)
    assert model.passes == 0
    found = audit_embeddings({"z": table()[0]}, given, private="v", task=task, settings=QUICK)
    assert found.task is None, "nothing answers it"
