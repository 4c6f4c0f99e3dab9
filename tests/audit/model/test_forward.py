"""A row's answer is its own: what depends on chance or on neighbours is refused, and rounding is neither."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import irene
from audit.data.labelled import LabelledData, labelled
from audit.data.model_input import ModelInput
from audit.errors import BottleneckError, DataError, IreneError, UnreadableError
from audit.model.describe import describe_model
from audit.model.example_networks import small_convnet
from audit.model.forward import Encoder, first_input, sample_rows, with_arguments
from audit.model.layers import lay_out, tap
from audit.model.representations import extract
from audit.model.structure.eval_mode import evaluating
from audit.model.structure.listing import suggest
from audit.model.structure.scores import class_scores
from audit.model.trial_runs import require_own_answer


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class Net(nn.Module):
    """Does something of its own between two layers."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.code, self.head = nn.Linear(6, 5), nn.Identity(), nn.Linear(5, 2)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.code(self.between(self.body(x))))
        return scores


CHANCE: dict[str, Callable[[Tensor], Tensor]] = {
    "dropout": lambda x: functional.dropout(x, 0.9),
    "a little dropout": lambda x: functional.dropout(x, 0.05),
    "a random sample": lambda x: x + 0.3 * torch.randn_like(x),
    "half of the rows": lambda x: torch.where(torch.rand(len(x), 1) < 0.5, x, torch.zeros_like(x)),
}
NEIGHBOURS: dict[str, Callable[[Tensor], Tensor]] = {
    "a norm over the batch": nn.BatchNorm1d(5, track_running_stats=False),
    "the mean of the batch": lambda x: x - 0.5 * x.mean(dim=0),
    "the largest row": lambda x: x / x.norm(dim=1).max(),
    "attention among rows": lambda x: torch.softmax(x @ x.T, dim=1) @ x,
}


def inputs(n: int = 8) -> Tensor:
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(1))


def rows(n: int = 60) -> LabelledData:
    return labelled(inputs(n), {"y": [f"c{row % 2}" for row in range(n)]})


@pytest.mark.parametrize("case", CHANCE)
def test_what_depends_on_chance_is_refused_before_the_pass(case: str) -> None:
    model = Net(CHANCE[case])
    with pytest.raises(BottleneckError, match=r"'code' gives differs each time.*--passes 16") as caught:
        extract(Encoder(model), rows(), ["code"])
    assert "\n" not in str(caught.value)
    extract(Encoder(model), rows(), ["body"])  # before the chance, and nobody asks for the output
    with pytest.raises(BottleneckError, match="The model's output differs each time"):
        extract(Encoder(model), rows(), ["body"], task="y")


@pytest.mark.parametrize("fixed", [None, 8])
@pytest.mark.parametrize("case", NEIGHBOURS)
def test_what_depends_on_neighbours_is_refused(case: str, fixed: int | None) -> None:
    model = Net(NEIGHBOURS[case])
    for passes in (1, 16):
        with pytest.raises(BottleneckError, match="'code' gives differs for the same row beside other rows"):
            extract(Encoder(model, fixed_batch=fixed, passes=passes), rows(), ["code"])
    extract(Encoder(model, fixed_batch=fixed), rows(), ["body"])


def test_chance_is_averaged_if_asked_by_the_seed_and_told() -> None:
    model = Net(CHANCE["a random sample"])
    found, again = (extract(Encoder(model, passes=64), rows(), ["code"], task="y") for _ in range(2))
    np.testing.assert_array_equal(found.z["code"], again.z["code"])
    assert found.notes == ("what the model gives depends on chance; every figure is of the mean over 64 passes",)
    with torch.no_grad():
        wanted = model.body(inputs(60)).numpy()
    assert np.abs(found.z["code"] - wanted).std() == pytest.approx(0.3 / 8 * 0.6, rel=0.15)  # of a half normal
    assert (found.passes, extract(Encoder(model, passes=64), rows(), ["body"]).passes) == (64, 1)


def test_chance_does_not_hide_neighbours() -> None:
    model = Net(lambda x: functional.dropout(x, 0.2) - 3 * x.mean(dim=0))
    with pytest.raises(BottleneckError, match="beside other rows"):
        extract(Encoder(model, passes=16), rows(), ["code"])


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["small", pytest.param("resnet18", marks=pytest.mark.slow)])
def test_rounding_is_no_chance(name: str, kind: torch.dtype) -> None:
    from torchvision.models import resnet18  # noqa: PLC0415 - torchvision takes a second to import

    model, side = (small_convnet(), 8) if name == "small" else (resnet18(), 64)
    layers = ["encoder", "classifier"] if name == "small" else ["layer1", "layer4", "fc:input", "fc"]
    for scale in (1.0, 1e-3):  # a small spread beside a large mean, too
        x = (torch.randn(8, 3, side, side) * scale + 1).to(kind)
        ready = model.to(kind)
        pooling, _ = lay_out(ready, x, layers)
        with evaluating(ready), torch.inference_mode(), tap(ready, layers, pooling) as taps:
            assert not require_own_answer(Encoder(ready), x, taps, output=True)


def test_one_row_and_a_batch_of_one_have_no_neighbours() -> None:
    model = Net(NEIGHBOURS["the mean of the batch"])
    with evaluating(model), torch.inference_mode(), tap(model, ["code"]) as taps:
        assert not require_own_answer(Encoder(model), inputs(1), taps)
        assert not require_own_answer(Encoder(model, fixed_batch=1), inputs(8), taps)


def alone(x: ModelInput) -> Tensor:
    assert isinstance(x, Tensor)
    return x


def test_a_few_rows_are_from_all_over_the_data() -> None:
    class Broken:
        def __len__(self) -> int:
            return 60

        def __getitem__(self, row: int, /) -> Tensor:
            if row < 59:
                raise UnreadableError("cut off")
            return torch.full((2,), float(row))

    columns = {"y": ["a", "b"] * 30}
    assert alone(sample_rows(labelled(torch.arange(60.0), columns))).tolist() == [0, 8, 16, 25, 33, 42, 50, 59]
    assert alone(sample_rows(labelled(Broken(), columns))).tolist() == [[59.0, 59.0]]
    assert len(sample_rows(labelled(torch.arange(3.0), {"y": ["a", "b", "a"]}))) == 3


def test_probabilities_become_logits_of_the_same_classes() -> None:
    p = torch.tensor([0.0, 0.2, 0.6, 1.0])
    found = class_scores(p, 2, "y", "probabilities")
    assert found.argmax(dim=1).tolist() == [0, 0, 1, 1]
    torch.testing.assert_close(torch.softmax(found, dim=1)[1:3, 1], p[1:3])
    assert torch.isfinite(found).all()
    shares = torch.tensor([[0.1, 0.9, 0.0], [0.5, 0.2, 0.3]])
    torch.testing.assert_close(
        torch.softmax(class_scores(shares, 3, "y", "probabilities"), dim=1), shares, atol=1e-5, rtol=0
    )
    with pytest.raises(DataError, match="runs from -1 to 2, so it holds no probabilities"):
        class_scores(torch.tensor([-1.0, 2.0]), 2, "y", "probabilities")


class Single(nn.Module):
    """One number a row: a score that `last` changes."""

    def __init__(self, last: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.fc, self.last = nn.Linear(6, 1), last

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.fc(x))


SIGMOID = (
    "the model's one output was taken for the probability of 'c1', since a sigmoid or a softmax makes it, "
    "and cut at 0.5"
)
PROBABLE: dict[str, Callable[[Tensor], Tensor]] = {
    "a function": torch.sigmoid,
    "a method": lambda s: s.sigmoid().squeeze(1),
    "a module": nn.Sequential(nn.Sigmoid(), nn.Flatten(0)),
    "a softmax of two": lambda s: torch.softmax(torch.cat([torch.zeros_like(s), s], dim=1), dim=1)[:, 1],
}


@pytest.mark.parametrize("case", PROBABLE)
def test_one_output_behind_a_sigmoid_is_cut_at_one_half(case: str) -> None:
    model = Single(PROBABLE[case])
    found = extract(Encoder(model, batch_size=7), rows(), ["fc:input"], task="y")
    with torch.no_grad():
        wanted = (model.fc(inputs(60))[:, 0] > 0).long()
    assert found.predicted is not None and found.predicted.tolist() == wanted.tolist()
    assert 0 < wanted.sum() < 60
    assert found.notes == (SIGMOID,)


@pytest.mark.parametrize("last", [lambda s: s, lambda s: 4 * torch.sigmoid(s) - 2, torch.tanh])
def test_a_score_is_cut_at_zero_without_a_word(last: Callable[[Tensor], Tensor]) -> None:
    model = Single(last)
    found = extract(Encoder(model), rows(), ["fc:input"], task="y")
    with torch.no_grad():
        wanted = (model.fc(inputs(60))[:, 0] > 0).long()
    assert found.predicted is not None and found.predicted.tolist() == wanted.tolist()
    assert found.notes == ()


def test_a_number_from_0_to_1_of_unknown_kind_is_asked_about() -> None:
    model = Single(lambda s: torch.special.expit(s) + 0 * s)
    with pytest.raises(DataError, match="--scores probabilities or --scores logits") as caught:
        extract(Encoder(model), rows(), ["fc:input"], task="y")
    assert "\n" not in str(caught.value)
    said = extract(Encoder(model, scores="probabilities"), rows(), ["fc:input"], task="y")
    assert said.predicted is not None and 0 < said.predicted.sum() < 60
    assert said.notes == (SIGMOID.replace("since a sigmoid or a softmax makes it", "as was said"),)
    above = extract(Encoder(model, scores="logits"), rows(), ["fc:input"], task="y")
    assert above.predicted is not None and above.predicted.sum() == 60
    extract(Encoder(model), rows(), ["fc:input"])  # without a task nobody needs to know
    with pytest.raises(DataError, match="holds no probabilities"):
        extract(Encoder(Single(lambda s: s), scores="probabilities"), rows(), ["fc:input"], task="y")


class Returning(nn.Module):
    def __init__(self, made: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.first, self.head, self.made = nn.Linear(8, 4), nn.Linear(4, 2), made

    def forward(self, x: Tensor) -> object:
        return self.made(self.head(self.first(x)))


def _leave(_scores: Tensor) -> object:
    raise SystemExit(0)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda one: one.sum(), "one row an input"),
        (lambda one: one[:0], "one row an input"),
        (lambda one: one > 0, "true or false"),
        (lambda one: one.to_sparse(), "is sparse"),
        (lambda one: one.to(torch.complex64), "is complex"),
        (lambda one: one.to("meta"), "is on no device"),
        (lambda one: torch.nested.nested_tensor(list(one)), "is nested"),
        (lambda one: one.to(torch.float8_e4m3fn), "is torch.float8_e4m3fn"),
        (_leave, "SystemExit"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_an_output_that_holds_no_scores_is_told_in_one_line(made: Callable[[Tensor], object], told: str) -> None:
    rows = irene.labelled(torch.randn(60, 8), {"y": [0, 1] * 30, "g": ["a", "b", "b"] * 20})
    model = Returning(made)
    with pytest.raises(IreneError, match=told):
        extract(Encoder(model), rows, ["head:input"], task="y") if told != "SystemExit" else first_input(model, rows)


@pytest.mark.parametrize("change", [Tensor.to_sparse, lambda one: one.to("meta"), lambda one: one.to(torch.complex64)])
def test_an_input_that_is_no_plain_tensor_is_told_in_one_line(change: Callable[[Tensor], Tensor]) -> None:
    rows = irene.labelled([change(one) for one in torch.randn(6, 8)], {"g": ["a", "b"] * 3})
    with pytest.raises(IreneError, match="An input is a tensor that is"):
        first_input(nn.Linear(8, 2), rows)


class Named(nn.Module):
    """Takes what it takes by name alone."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 2)

    def forward(self, *, x: Tensor) -> Tensor:
        made: Tensor = self.fc(x)
        return made


class Scaled(Named):
    """Takes two arguments."""

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:  # type: ignore[override]
        made: Tensor = self.fc(x) * scale
        return made


def test_an_argument_that_goes_by_name_alone_is_given_by_name_and_what_is_lacking_is_named() -> None:
    rows = irene.labelled(torch.randn(6, 8), {"g": ["a", "b"] * 3})
    assert first_input(Named(), rows).shape == (2, 8)  # type: ignore[union-attr]
    with pytest.raises(DataError, match=r"Give each row as a mapping .* forward\(\) takes: x, scale\.$"):
        first_input(Scaled(), rows)
    whole = irene.labelled(torch.ones(6, 8, dtype=torch.int64), {"g": ["a", "b"] * 3})
    with pytest.raises(DataError, match=r"Give floats, as x\.float\(\) makes them\.$"):
        first_input(nn.Linear(8, 2), whole)
    with pytest.raises(DataError, match=r"the features that it was trained on\..* with --continuous\.$"):
        first_input(nn.Linear(9, 2), rows)
    images = irene.labelled(torch.randn(6, 3, 8, 8), {"g": ["a", "b"] * 3})
    with pytest.raises(DataError, match=r"the image size that it was trained on\.$"):
        first_input(nn.Linear(9, 2), images)


def test_what_is_no_model_and_no_seed_is_told_in_one_line() -> None:
    with pytest.raises(IreneError, match="The model is a NoneType"):
        Encoder(None)  # type: ignore[arg-type]
    with pytest.raises(IreneError, match="seed is -1"):
        irene.Settings(seed=-1)
    with pytest.raises(IreneError, match="None was given"):
        irene.load(None)  # type: ignore[arg-type]


def test_a_length_below_zero_is_told_in_one_line() -> None:
    class Rows:
        def __len__(self) -> int:
            return -1  # noqa: PLE0303 - what is tested

        def __getitem__(self, row: int) -> Tensor:
            return torch.zeros(2)

    with pytest.raises(IreneError, match="have no length"):
        irene.labelled(Rows(), {"g": ["a"]})


def compiled(how: str) -> nn.Module:
    """Give the same network to torch's compiler: whole, in place, or a function in it."""
    net = Net(torch.compile(torch.relu, backend="eager") if how == "a function" else torch.relu)
    if how == "in place":
        net.compile(backend="eager")
    whole: nn.Module = torch.compile(net, backend="eager") if how == "whole" else net  # type: ignore[assignment]
    return whole


@pytest.mark.parametrize("how", ["whole", "in place", "a function"])
def test_a_model_that_was_compiled_is_run_as_it_was_written(how: str) -> None:
    torch.manual_seed(0)
    model = compiled(how)
    torch.manual_seed(0)
    plain = Net(torch.relu)
    data = rows()
    layer = suggest(model, first_input(model, data))
    assert layer.endswith("head:input")
    z = extract(Encoder(model), data, [layer], raw=False).z[layer]
    assert np.abs(z - extract(Encoder(plain), data, ["head:input"], raw=False).z["head:input"]).max() < 1e-6


def quantised(how: str) -> nn.Module:
    """Turn the layers of a network into those of 8 bits."""
    tools: Any = torch.ao.quantization
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5), nn.ReLU(), nn.Linear(5, 2))
    if how == "as it runs":
        dynamic: nn.Module = tools.quantize_dynamic(net, {nn.Linear})
        return dynamic
    whole = nn.Sequential(tools.QuantStub(), *net, tools.DeQuantStub()).eval()
    whole.qconfig = tools.get_default_qconfig(torch.backends.quantized.engine)
    tools.prepare(whole, inplace=True)(torch.randn(20, 3, 6, 6))
    static: nn.Module = tools.convert(whole)
    return static


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize(("how", "layer", "map_"), [("as it runs", "5:input", "0"), ("beforehand", "6:input", "1")])
def test_layers_of_eight_bits_are_suggested_and_give_plain_numbers(how: str, layer: str, map_: str) -> None:
    model, images = quantised(how), torch.randn(30, 3, 6, 6)
    data = labelled(images, {"y": [f"c{row % 2}" for row in range(30)]})
    assert suggest(model, first_input(model, data), classes=2) == layer
    z = extract(Encoder(model, pool="channels-first"), data, [layer, map_, "logits"], raw=False).z
    assert z[layer].shape == (30, 5) and z[map_].shape == (30, 4)
    with torch.inference_mode():
        off = np.abs(z["logits"] - model.eval()(images).numpy()).max()
    assert off < 0.1 * np.abs(z["logits"]).max()
    assert len(describe_model(model).sha256) == 64
    other = quantised(how)
    assert describe_model(other).sha256 != describe_model(model).sha256


class Lengths(nn.Module):
    """Reads a sequence up to its length, if it is told."""

    def forward(self, x: Tensor, lengths: Tensor | None = None, labels: Tensor | None = None) -> Tensor:
        assert labels is None
        held = torch.ones(x.shape[:2]) if lengths is None else (torch.arange(x.shape[1]) < lengths[:, None]).float()
        return (x * held[..., None]).sum(dim=1)


class Needed(Lengths):
    """Cannot do without."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x, lengths)


class Flag(nn.Module):
    """Takes a flag, and what a loss is computed with, in the place of a length."""

    def forward(self, x: Tensor, return_all: bool | None = None, target: Tensor | None = None) -> Tensor:
        assert target is None
        return x if return_all else x.sum(dim=1)


class Ignored(nn.Module):
    """Takes a number and does nothing with it."""

    def forward(self, x: Tensor, index: Tensor | None = None) -> Tensor:
        return x.sum(dim=1)


SEQUENCES = torch.rand(6, 5, 2)
LENGTHS = [5, 3, 4, 2, 1, 5]


@pytest.mark.parametrize("model", [Lengths(), Needed()])
@pytest.mark.parametrize("kind", [int, np.int64, torch.tensor, np.array])
def test_a_number_of_each_row_goes_to_the_argument_of_its_name(model: nn.Module, kind: Callable[[int], Any]) -> None:
    rows = [
        {"x": x, "lengths": kind(length), "labels": 1, "sex": "f", "id": 3}
        for x, length in zip(SEQUENCES, LENGTHS, strict=True)
    ]
    for named in (
        labelled(rows, "sex"),
        labelled(rows, {"sex": list("fm" * 3)}),
        labelled(rows, "sex").take(np.arange(6)),
    ):
        data = with_arguments(model, named)
        assert list(data.inputs[2]) == ["x", "lengths"]
        assert "the model takes 'lengths' of each row, too, which was given to it" in data.notes
        first_input(model, data)
        whole = labelled({"x": SEQUENCES, "lengths": torch.tensor(LENGTHS)}, {"sex": list("fm" * 3)})
        outputs = [extract(Encoder(model), one, ["logits"], raw=True, seed=0) for one in (data, whole)]
        np.testing.assert_array_equal(outputs[0].z["logits"], outputs[1].z["logits"])
        np.testing.assert_allclose(outputs[0].z["logits"][3], SEQUENCES[3, :2].sum(dim=0), rtol=1e-5)


@pytest.mark.parametrize("model", [Lengths(), Needed()])
def test_a_number_in_the_place_of_an_argument_is_asked_about(model: nn.Module) -> None:
    rows = [*zip(SEQUENCES, LENGTHS, strict=True)]
    with pytest.raises(
        DataError, match=r"Part 2 of each row of arrays is a single number: a label, or 'lengths'"
    ) as told:
        irene.audit(model, labelled(rows, {"sex": list("fm" * 3)}), private="sex", layer="logits")
    assert "\n" not in str(told.value)
    named = labelled(rows, "length")
    assert with_arguments(model, named) is named, "it is a label: somebody said so"


@pytest.mark.parametrize("model", [Flag(), Ignored(), nn.Flatten()])
def test_labels_beside_an_input_are_no_question_where_no_argument_takes_them(model: nn.Module) -> None:
    rows = [*zip(SEQUENCES, [0, 1] * 3, [0.5] * 6, strict=True)]
    data = labelled(rows, {"sex": list("fm" * 3)})
    assert with_arguments(model, data) is data
    assert torch.equal(data.inputs[1], SEQUENCES[1])


class Counting(nn.Module):
    """Answers by how often it was run, or ends the program."""

    def __init__(self, ends: bool = False) -> None:
        super().__init__()
        self.fc, self.runs, self.ends = nn.Linear(3, 2), 0, ends

    def forward(self, x: Tensor) -> Tensor:
        if self.ends:
            raise SystemExit("done")
        self.runs += 1
        return self.fc(x) * (self.runs < 12)  # type: ignore[no-any-return]


def test_what_a_model_does_of_its_own_is_told_for_what_it_is() -> None:
    given = labelled(torch.randn(400, 3), {"v": ["a", "b"] * 200})
    with pytest.raises(BottleneckError, match="differs when the same rows are run again: the model keeps something"):
        irene.audit(Counting(), given, private="v", layer="logits", settings=irene.Settings(ceiling=False))
    with pytest.raises(DataError, match=r"SystemExit: done .*Take out of forward\(\) what ends the program"):
        first_input(Counting(ends=True), given)


@pytest.mark.parametrize(
    ("made", "way_out"),
    [
        (lambda x: x.to(torch.complex64), "view_as_real"),
        (lambda x: x.to_sparse(), "to_dense"),
        (lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8), "dequantize"),
        (lambda x: x.to(torch.float8_e4m3fn), r"x\.float\(\)"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_how_an_input_becomes_plain_numbers_is_told_by_what_it_is(
    made: Callable[[Tensor], Tensor], way_out: str
) -> None:
    with pytest.raises(DataError, match=f"Give plain numbers, as .*{way_out}"):
        first_input(nn.Linear(3, 2), labelled([made(torch.ones(3)) for _ in range(9)], {"v": ["a"] * 9}))
