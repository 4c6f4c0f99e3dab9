"""The model's answer is held against common sense: a broken model, or a wrong order of classes, is told."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from support.audited import N, Net, data, run
from support.findings import sanitizing
from support.planted import FEW
from torch import Tensor, nn

from audit.data.labelled import labelled
from audit.errors import DataError
from audit.evidence.audit_result import AuditResult
from audit.model.describe import describe_model
from audit.model.maps.affine_and_code import Affine
from audit.model.release import install
from audit.run import audit, audit_embeddings
from audit.settings import Provenance


class Wide(nn.Module):
    """Its answer is its input: one number a class."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.fc = nn.Linear(k, k, bias=False)
        with torch.no_grad():
            self.fc.weight.copy_(torch.eye(k))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(x)
        return scores


class Single(nn.Module):
    """One logit a row."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 1, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.eye(1, 6))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(x)
        return scores


def few_vectors() -> nn.Module:
    model = Net(2)
    model.encoder.register_forward_hook(lambda _module, _given, made: made.sign())
    return model


def zeroed(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return model


def digits(k: int, absent: tuple[int, ...] = ()) -> Any:
    """Rows of k classes named by numbers in text, in the order of text, without those that are absent."""
    generator = np.random.default_rng(0)
    y = generator.choice([one for one in range(k) if one not in absent], N)
    x = torch.eye(k)[torch.as_tensor(y)] + 0.05 * torch.randn(N, k, generator=torch.Generator().manual_seed(0))
    found = labelled(x, {"y": [str(one) for one in y], "v": list(generator.integers(0, 2, N))})
    return found.in_order("y", sorted(set(map(str, y)))) if not absent else found


def about(result: AuditResult, words: str) -> list[str]:
    return [note for note in result.warnings if words in note]


def test_outputs_taken_in_the_order_of_text_are_told_and_named_in_theirs_they_are_right() -> None:
    rows = digits(12)
    wrong = audit(Wide(12), rows, private="v", task="y", layer="fc:input", settings=FEW)
    assert wrong.task is not None and wrong.task.accuracy.value < 0.3
    assert wrong.warnings[0].startswith("the model is right in ")
    assert "would be in 100.0%" in wrong.warnings[0] and "0,1,2,3,4,5,6,7,8,9,10,11" in wrong.warnings[0]
    numbers = [str(one) for one in range(12)]
    right = audit(Wide(12), rows.in_order("y", numbers), private="v", task="y", layer="fc:input", settings=FEW)
    assert right.task is not None and (right.task.accuracy.value, right.task.classes) == (1.0, numbers)
    assert not about(right, "order")


def test_a_model_of_ten_outputs_is_audited_on_rows_of_nine_classes_if_all_ten_are_named() -> None:
    rows = digits(10, absent=(7,))
    with pytest.raises(DataError, match=r"has 9 classes.*--task-classes"):
        audit(Wide(10), rows, private="v", task="y", layer="fc:input", settings=FEW)
    named = rows.in_order("y", [str(one) for one in range(10)])
    result = audit(Wide(10), named, private="v", task="y", layer="fc:input", settings=FEW)
    assert result.task is not None
    assert (result.task.accuracy.value, result.task.balanced_accuracy.value) == (1.0, 1.0)
    assert len(result.task.classes) == 10
    assert result.task.guess == pytest.approx(1 / 9)
    assert result.task.balanced_accuracy.low > 0.95, "the class that no row has makes the interval no wider"


def test_an_order_that_is_only_the_alphabets_is_told_and_one_that_was_named_is_not() -> None:
    (note,) = about(run(task="y"), "were taken in the order")
    assert "no,yes of the classes of 'y'" in note and "--task-classes" in note
    assert not about(run(data().in_order("y", ["no", "yes"]), task="y"), "were taken in the order")
    assert not about(run(), "were taken in the order"), "without a task nothing is taken"


def test_a_single_output_counts_for_the_second_class_and_it_is_said_which() -> None:
    result = run(model=Single(), task="y", layer="head:input")
    assert result.task is not None and result.task.accuracy.value > 0.95
    assert about(result, "single output was taken for the class 'yes' of 'y'; --positive names another")
    other = run(data().in_order("y", ["yes", "no"]), model=Single(), task="y", layer="head:input")
    assert other.task is not None and other.task.accuracy.value < 0.05
    assert about(other, "single output was taken for the class 'no' of 'y'")
    assert about(other, "in the order no,yes")


def test_inverted_labels_are_told_at_the_top() -> None:
    result = run(data().in_order("y", ["yes", "no"]), task="y")
    assert result.task is not None and result.task.accuracy.value < 0.05
    assert "is not above the" in result.warnings[0] and result.task.is_at_chance
    assert "in the order no,yes; if they do, name it by --task-classes" in result.warnings[1]


def test_a_model_whose_weights_are_all_zero_does_not_pass() -> None:
    result = run(model=zeroed(Net()), private=["v", "w"], task="y", layer=["head:input", "encoder", "logits"])
    assert {one.decided.verdict for one in result.private} == {"INCONCLUSIVE"}
    assert all("same vector for every row" in one.decided.reason for one in result.private)
    first, *_ = result.warnings
    assert first == "layer 'head:input' gives the same vector for every row: the model or its input may be broken"
    assert about(result, "one answer to 'y' for all test rows") and about(result, "is not above the")
    assert result.task is not None and result.task.is_at_chance and result.task.answered == 1


def test_rows_that_are_all_alike_are_told_and_certify_nothing() -> None:
    x, columns = torch.ones(N, 6), dict(data().columns)
    result = run(labelled(x, columns), task="y")
    assert result.private[0].decided.verdict == "INCONCLUSIVE"
    assert result.warnings[0].startswith("every row has the very same input")


def test_embeddings_of_one_vector_do_not_pass() -> None:
    result = audit_embeddings({"z": np.full((N, 5), 3.0, dtype=np.float32)}, data(), private="v", settings=FEW)
    assert result.private[0].decided.verdict == "INCONCLUSIVE"
    assert result.warnings[0].startswith("layer 'z' gives the same vector for every row")


def test_a_layer_of_two_vectors_is_no_constant() -> None:
    y = np.asarray(data().codes("y"), dtype=np.float32)[:, None]
    result = audit_embeddings({"z": y}, data(), private="v", settings=FEW)
    assert not result.private[0].measurement.constant and not about(result, "same vector")


def test_a_model_made_for_rare_classes_is_not_at_chance() -> None:
    """Right in 85 % of rows of which 90 % are of one class, and in 85 % of each class."""
    generator = np.random.default_rng(0)
    y = (generator.random(N) < 0.1).astype(int)
    answered = np.where(generator.random(N) < 0.85, y, 1 - y)
    x = torch.zeros(N, 6)
    x[:, 0] = torch.as_tensor(2.0 * answered - 1)
    x[:, 1] = torch.randn(N, generator=torch.Generator().manual_seed(0))
    result = run(labelled(x, {"y": list(y), "v": list(generator.integers(0, 2, N))}), model=Single(), task="y",
                 layer="head:input")  # fmt: skip
    assert result.task is not None and not result.task.is_at_chance
    assert about(result, "though its balanced accuracy of")


def test_a_kept_attribute_has_a_say_in_the_split_and_it_is_said() -> None:
    assert about(run(keep="w"), "the splits spread the kept attributes evenly, too")
    assert not about(run(), "the splits spread")


def test_what_a_release_leaves_before_it_is_said() -> None:
    model = Net()
    assert not about(run(model=model), "carries a release")
    install(model, "head:input", Affine(torch.eye(6), torch.zeros(6)))
    assert about(run(model=model), "what the encoder gives before it leaks as it did")


@pytest.mark.parametrize(
    ("task", "rows", "said"), [("y", N, True), ("y", N - 1, False), ("w", N, False), ("absent", N, False)]
)
def test_rows_that_a_sanitizer_trained_on_are_told_first(task: str, rows: int, said: bool) -> None:
    seen = data().take(np.arange(rows)).labels_sha256(["y", "v"])
    made = sanitizing().model_copy(
        update={"settings": {"task": task, "private": "v", "keep": ""}, "data_fingerprint": seen}
    )
    checkpoint = describe_model(Net()).model_copy(update={"sanitizing": made})
    result = run(model=few_vectors(), task="y", layer="head:input", provenance=Provenance(checkpoint))
    assert bool(about(result, "those that the model was sanitized with")) == said
    assert result.warnings[0].startswith("the audited rows have the labels") == said
    assert {one.measurement.rows_seen for one in result.private} == {said}
    assert [one.certificate is None for one in result.private] == [said], "a bound of such rows bounds nothing"


@pytest.mark.parametrize(
    ("private", "said"),
    [("age", "drawn at random (--test-rows)"), (["age", "sex"], "drawn evenly by class (--test-rows)")],
)
def test_test_rows_are_said_to_be_drawn_by_class_only_where_there_are_classes(private: Any, said: str) -> None:
    z = np.random.default_rng(0).normal(size=(N, 3))
    rows = labelled(z, {"age": z[:, 0] + z[:, 1], "sex": np.arange(N) % 2})
    found = audit_embeddings({"z": z}, rows, private=private, settings=replace(FEW, attackers="logistic", test_rows=50))
    assert [one for one in found.warnings if "--test-rows" in one] == [one for one in found.warnings if said in one]
    assert any(said in one for one in found.warnings)
