"""Taps give what the layers give, the model is left as it was found, and what cannot be tapped says so."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.data.columns import Column
from audit.data.labelled import LabelledData
from audit.errors import BottleneckError, DataError, UnknownNameError
from audit.model import forward
from audit.model.example_networks import small_convnet
from audit.model.forward import Encoder
from audit.model.layers import lay_out, tap
from audit.model.representations import extract
from audit.model.structure.eval_mode import evaluating
from audit.model.structure.layout import Pooling
from audit.model.structure.listing import layers
from audit.model.structure.scores import class_scores


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class Zoo(nn.Module):
    """Layers that run never, once, twice, and one that gives a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.never, self.once, self.twice = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.relu = nn.ReLU(inplace=True)
        self.rnn = nn.GRU(4, 4, batch_first=True)
        self.whole = nn.Identity()
        self.inner = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        h = self.relu(self.once(x))
        h, _ = self.rnn(self.twice(self.twice(h)).unsqueeze(1))  # (n, 1, 4)
        self.whole(torch.zeros(len(x), 3, dtype=torch.int64))
        scores: Tensor = self.inner(h[:, 0])
        return scores


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def rows(count: int = 6, classes: int = 2, scale: float = 1.0) -> LabelledData:
    x = torch.randn(count, 4, generator=torch.Generator().manual_seed(1)) * scale
    codes = np.arange(count, dtype=np.int64)
    return LabelledData(
        "rows",
        x,
        {"y": Column(codes % classes, tuple(map(str, range(classes)))), "v": Column(codes % 2, ("a", "b"))},
    )


def test_a_tap_gives_the_very_tensor_that_a_forward_by_hand_gives_on_both_sides() -> None:
    model, x = small_convnet().eval(), torch.randn(3, 3, 8, 8)
    with tap(model, ["encoder", "classifier:input", "classifier", "classifier:output"]) as taps:
        scores = model(x)
        seen = taps.take()
    z = model.encoder(x)
    assert torch.equal(seen["encoder"], z)
    assert torch.equal(seen["classifier:input"], z)
    assert torch.equal(seen["classifier"], model.classifier(z))
    assert torch.equal(seen["classifier:output"], scores)
    (gradient,) = torch.autograd.grad(seen["encoder"].sum(), list(model.encoder.parameters())[:1])
    assert gradient.abs().sum() > 0, "the features stay on the graph"


def test_a_layer_before_a_relu_in_place_gives_its_own_output() -> None:
    model, x = Zoo().eval(), torch.randn(5, 4)
    with torch.no_grad(), tap(model, ["once", "relu:input", "relu"]) as taps:
        model(x)
        seen = taps.take()
    assert (seen["once"] < 0).any()
    assert torch.equal(seen["once"], model.once(x))
    assert torch.equal(seen["relu:input"], seen["once"])
    assert torch.equal(seen["relu"], seen["once"].clamp(min=0))


def test_a_layer_named_twice_is_tapped_once_and_every_pass_counts_anew() -> None:
    model, x = Zoo().eval(), torch.randn(5, 4)
    with tap(model, ["once", "once"]) as taps:
        model(x)
        first = taps.take()["once"]
        model(-x)
        assert not torch.equal(taps.take()["once"], first)


def test_hooks_and_modes_are_as_before_even_after_an_error_in_the_block() -> None:
    model = Zoo().train()
    model.inner[0].eval()  # a frozen batch norm inside a model in train mode
    modes = {name: module.training for name, module in model.named_modules()}
    with pytest.raises(KeyboardInterrupt), evaluating(model), tap(model, ["once", "inner:input"]):
        assert hooks(model) == 3, "one each, and one that counts the rows"
        assert not any(module.training for module in model.modules())
        raise KeyboardInterrupt
    assert hooks(model) == 0
    assert {name: module.training for name, module in model.named_modules()} == modes
    with pytest.raises(UnknownNameError), tap(model, ["once", "absent"]):
        pass
    with pytest.raises(DataError, match="RuntimeError"):
        layers(model, torch.zeros(2, 99))
    assert hooks(model) == 0
    assert {name: module.training for name, module in model.named_modules()} == modes


@pytest.mark.parametrize(
    ("layer", "fact"),
    [
        ("never", "'never' ran 0 times"),
        ("twice:input", "'twice:input' ran 2 times"),
        ("rnn", "'rnn' gives a tuple"),
        ("whole", "'whole' gives a torch.int64 tensor of 2 dimensions"),
    ],
)
def test_a_layer_that_gives_no_features_is_refused_when_they_are_taken(layer: str, fact: str) -> None:
    model = Zoo().eval()
    with tap(model, [layer]) as taps:
        model(torch.randn(2, 4))
        with pytest.raises(BottleneckError, match=fact) as caught:
            taps.take()
    assert "\n" not in str(caught.value)


def test_an_unknown_layer_or_side_says_what_is_known() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'classifier'"), tap(small_convnet(), ["clasifier:input"]):
        pass
    with pytest.raises(BottleneckError, match="ends in 'inptu'"), tap(small_convnet(), ["classifier:inptu"]):
        pass
    with pytest.raises(UnknownNameError, match="layer ''"), tap(small_convnet(), [""]):
        pass


class Parts(nn.Module):
    """An LSTM, a mapping, and an output of several parts."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 3, num_layers=2, batch_first=True)
        self.named = Named()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        output, (hidden, _cell) = self.lstm(x)
        return {**self.named(output), "hidden": hidden[-1]}


class Named(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Any]:
        return {"last": x[:, -1], "all": (x, x + 1)}


def test_brackets_name_a_part_of_a_tuple_or_a_mapping() -> None:
    model, x = Parts().eval(), torch.randn(5, 6, 4)
    names = ["lstm[0]", "named[last]", "named[all][1]", "named:input", "logits[hidden]"]
    with torch.no_grad(), tap(model, names, Pooling("flatten")) as taps:
        model(x)
        seen = taps.take()
        output, (hidden, _cell) = model.lstm(x)
    assert torch.equal(seen["lstm[0]"], output.flatten(1))
    assert torch.equal(seen["named[last]"], output[:, -1])
    assert torch.equal(seen["named[all][1]"], (output + 1).flatten(1))
    assert torch.equal(seen["named:input"], output.flatten(1))
    assert torch.equal(seen["logits[hidden]"], hidden[-1])


@pytest.mark.parametrize(
    ("layer", "fact"),
    [
        ("lstm", r"gives a tuple of 2; name an element, for instance 'lstm\[0\]'"),
        ("named", r"gives a dict of 2; name an element, for instance 'named\[last\]'"),
        ("logits", r"for instance 'logits\[last\]'"),
        ("lstm[2]", r"no part \[2\]. Choose among 0, 1"),
        ("named[lst]", r"no part \[lst\]. Choose among last, all"),
        ("lstm[0][0]", r"tensor of 3 dimensions where it is to have parts. Leave \[0\] out"),
        ("lstm[1][1]", r"shape \[2, 5, 3\], and nothing in the model says which axis holds its channels"),
        ("logits:input", "is the model's own input"),
        ("lstm[0", "cannot be read"),
    ],
)
def test_a_part_that_gives_no_features_is_refused_with_the_way_out(layer: str, fact: str) -> None:
    model = Parts().eval()

    def read() -> None:
        with tap(model, [layer]) as taps:
            model(torch.randn(5, 6, 4))
            taps.take()

    with pytest.raises(BottleneckError, match=fact) as caught:
        read()
    assert "\n" not in str(caught.value)
    assert hooks(model) == 0


def test_logits_are_the_models_output_unless_a_module_has_that_name() -> None:
    model, x = Zoo().eval(), torch.randn(5, 4)
    with torch.no_grad(), tap(model, ["logits"]) as taps:
        scores = model(x)
        assert torch.equal(taps.take()["logits"], scores)
    named = nn.ModuleDict({"logits": nn.Linear(4, 3)})
    named.forward = lambda x: named["logits"](x).sum(dim=1)
    with torch.no_grad(), tap(named, ["logits"]) as taps:
        named(x)
        assert taps.take()["logits"].shape == (5, 3)
    single = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    with torch.no_grad(), tap(single, ["logits"]) as taps:
        score = single(x)  # (5,)
        assert torch.equal(taps.take()["logits"], score.unsqueeze(1))


def test_an_interrupt_inside_a_forward_pass_leaves_the_model_as_it_was() -> None:
    class Interrupted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise KeyboardInterrupt

    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4).eval(), Interrupted()).train()
    model[1].eval()
    modes = [module.training for module in model.modules()]
    with pytest.raises(KeyboardInterrupt), evaluating(model), tap(model, ["0", "logits"]):
        model(torch.zeros(2, 4))
    with pytest.raises(KeyboardInterrupt):
        layers(model, torch.zeros(2, 4))
    assert hooks(model) == 0
    assert [module.training for module in model.modules()] == modes


def test_extracting_changes_no_bit_of_the_model_and_reads_it_in_eval_mode() -> None:
    model, data = Zoo().train(), rows()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = extract(Encoder(model, batch_size=4), data, ["inner:input"], task="y", columns=["y", "v"])
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert hooks(model) == 0
    x = torch.stack([data.inputs[row] for row in range(len(data))])
    with torch.no_grad():
        scores = model.eval()(x)
    np.testing.assert_array_equal(found.predicted, scores.argmax(1).numpy())
    assert found.z["inner:input"].shape == (6, 4)


def test_the_fingerprint_tells_other_inputs_and_other_labels() -> None:
    def fingerprint(data: LabelledData, batch: int = 4) -> str:
        encoder = Encoder(Zoo(), batch_size=batch)
        return extract(encoder, data, ["once"], task="y", columns=["y", "v"]).fingerprint

    assert fingerprint(rows()) == fingerprint(rows(), batch=5)
    assert fingerprint(rows()) != fingerprint(rows(scale=2.0))
    assert fingerprint(rows()) != fingerprint(rows().take(np.array([1, 0, 2, 3, 4, 5])))


def test_features_that_are_not_finite_are_refused_with_their_number() -> None:
    data = rows()
    data.inputs[2][0] = float("nan")
    with pytest.raises(BottleneckError, match="'once' gives NaN or infinity for 1 of 6 rows"):
        extract(Encoder(Zoo()), data, ["once"], task="y", columns=["y", "v"])


def test_scores_that_are_not_finite_are_refused_although_the_features_are() -> None:
    head = nn.Linear(3, 2)
    nn.init.constant_(head.weight, torch.inf)
    model = nn.Sequential(nn.Linear(4, 3), head)
    with pytest.raises(DataError, match="scores 'y' with NaN or infinity for 6 of 6 rows"):
        extract(Encoder(model), rows(), ["0"], task="y", columns=["y", "v"])


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_a_single_logit_scores_class_one(shape: tuple[int, ...]) -> None:
    scores = class_scores(torch.tensor([-1.0, 2.0, -3.0]).reshape(shape), 2, "y")
    assert scores.argmax(dim=1).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("output", "fact"),
    [
        (torch.zeros(3, 4), r"shape \[3, 4\] and task 'y' has 3 classes"),
        (torch.zeros(3, 1), r"shape \[3, 1\]"),
        (torch.zeros(3, 3, 3), r"shape \[3, 3, 3\]"),
        (torch.tensor(1.0), r"shape \[\]"),
        ((torch.zeros(3, 3),), "returns a tuple"),
    ],
)
def test_an_output_that_does_not_score_the_classes_is_refused(output: Any, fact: str) -> None:
    with pytest.raises(DataError, match=fact):
        class_scores(output, 3, "y")


@pytest.mark.parametrize("make", [nn.Identity, lambda: nn.Linear(1, 1)])
def test_a_model_without_parameters_is_on_the_cpu(make: Callable[[], nn.Module]) -> None:
    assert forward.device_of(make()) == torch.device("cpu")


class Through(nn.Module):
    """Calls a function on its input, for axes that functions alone make known."""

    def __init__(self, function: Callable[[Tensor], Tensor], *modules: nn.Module) -> None:
        super().__init__()
        self.tapped, self.function, self.parts = nn.Identity(), function, nn.ModuleList(modules)

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return self.function(self.tapped(x))


class FirstOf(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.module(x)[0]
        return found


class Swapped(nn.Module):
    """Runs a module on (t, n, d)."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.module(x.transpose(0, 1))
        return found


def end(x: Tensor) -> Tensor:
    return x.sum(dim=tuple(range(1, x.ndim)), keepdim=True).flatten(1)


def residual(x: Tensor) -> Tensor:
    return torch.relu(x.permute(0, 2, 3, 1) * 2 + 1) @ W


W = nn.Parameter(torch.ones(3, 5))
AXES = {
    "Conv1d": (Through(end, nn.Conv1d(2, 3, 1)), (2, 6), 0, 1),
    "Conv3d and an activation": (Through(end, nn.Conv3d(2, 3, 1), nn.ReLU(inplace=True)), (2, 4, 4, 4), 0, 1),
    "ConvTranspose2d and dropout": (Through(end, nn.ConvTranspose2d(2, 3, 2), nn.Dropout2d()), (2, 4, 4), 0, 1),
    "GroupNorm": (Through(end, nn.GroupNorm(2, 4)), (4, 5, 6), 0, 1),
    "BatchNorm1d": (Through(end, nn.BatchNorm1d(4)), (4, 9), 0, 1),
    "a pool in front": (Through(end, nn.MaxPool2d(2)), (4, 6, 6), 0, 1),
    "a convolution behind": (Through(nn.Conv2d(4, 2, 1)), (4, 6, 6), 0, 1),
    "Linear": (Through(end, nn.Linear(3, 5)), (7, 3), 0, 2),
    "LayerNorm": (Through(end, nn.LayerNorm(3)), (6, 6, 3), 0, 3),
    "a norm behind a sum": (Through(lambda x: nn.functional.layer_norm(x + 1, (3,), torch.ones(3))), (6, 6, 3), 0, 3),
    "a mean and a linear layer": (Through(lambda x: nn.functional.linear(x.mean((1, 2)), W.T)), (6, 6, 3), 0, 3),
    "a permutation and a product": (Through(residual), (3, 4, 4), 0, 1),
    "GRU, two ways": (Through(end, FirstOf(nn.GRU(3, 4, batch_first=True, bidirectional=True))), (7, 3), 0, 2),
    "LSTM, time first": (Through(end, Swapped(FirstOf(nn.LSTM(3, 4)))), (7, 3), 1, 2),
    "TransformerEncoderLayer, time first": (Through(end, Swapped(nn.TransformerEncoderLayer(4, 2, 8))), (7, 4), 1, 2),
    "TransformerEncoder": (
        Through(end, nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2)), (7, 4), 0, 2,
    ),
    "tokens cut out of a map": (
        Through(end, nn.Conv2d(3, 5, 2, 2), nn.Flatten(2), Swapped(Swapped(nn.Identity()))), (3, 8, 8), 0, 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", AXES)
@pytest.mark.parametrize("rows", [2, 3, 7])
def test_modules_and_functions_around_a_value_make_its_axes_known(case: str, rows: int) -> None:
    model, shape, of_rows, channels = AXES[case]
    pooling, _ = lay_out(model, torch.randn(rows, *shape), ["tapped"])
    found = pooling.layouts["tapped"]
    assert (found.rows, found.channels) == (of_rows, channels)
    x = torch.randn(rows, *shape)
    with evaluating(model), torch.no_grad(), tap(model, ["tapped"], pooling) as taps:
        model(x)
        z = taps.take()["tapped"]
    assert z.shape[0] == rows


UNKNOWN = {
    "nothing": (Through(end), (6, 6, 4)),
    "attention": (Through(end, Through(lambda x: x @ x.transpose(1, 2))), (6, 4)),
    "a linear layer over positions": (Through(nn.Linear(6, 5), nn.Conv1d(4, 3, 1)), (4, 6)),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_axes_that_nothing_or_too_much_makes_known_are_asked_for(case: str) -> None:
    model, shape = UNKNOWN[case]
    x = torch.randn(2, *shape)
    with pytest.raises(BottleneckError, match="Name them with --pool channels-first") as caught:
        lay_out(model, x, ["tapped"])
    assert "\n" not in str(caught.value)
    assert ("axis 1 (by Conv1d) and axis 2 (by Linear)" in str(caught.value)) == (case[:8] == "a linear")
    assert lay_out(model, x, ["tapped"], "flatten")[0].layouts["tapped"].rows == 0


def test_a_word_of_the_users_answers_and_may_not_contradict_what_is_known() -> None:
    x = torch.randn(2, 6, 6, 4)
    (layout,) = lay_out(Through(end), x, ["tapped"], "channels-last")[0].layouts.values()
    assert (layout.rows, layout.channels, layout.source) == (0, 3, "--pool channels-last")
    conv = Through(end, nn.Conv1d(2, 3, 1))
    assert lay_out(conv, torch.randn(2, 2, 6), ["tapped"], "channels-first")[0].layouts["tapped"].channels == 1
    with pytest.raises(BottleneckError, match=r"channels on axis 1 by Conv1d, which is not channels-last"):
        lay_out(conv, torch.randn(2, 2, 6), ["tapped"], "channels-last")
    with pytest.raises(BottleneckError, match=r"its rows on axis 0.*which is not time-first"):
        lay_out(Through(end), torch.randn(2, 6, 4), ["tapped"], "time-first")
    swapped = Swapped(Through(lambda x: x.sum((0, 2))))
    assert lay_out(swapped, torch.randn(2, 6, 4), ["module.tapped"], "time-first")[0].layouts["module.tapped"].rows == 1


def test_a_value_without_rows_is_refused() -> None:
    merged = Through(end, Through(lambda x: x.flatten(0, 1)))
    with pytest.raises(BottleneckError, match=r"\[12, 4\] for 2 inputs and \[18, 4\] for 3 inputs, so less than one"):
        lay_out(merged, torch.randn(2, 6, 4), ["tapped"])
    likeness = Through(end, Through(lambda x: x @ x.T))
    with pytest.raises(BottleneckError, match="so more than one axis may hold the rows"):
        lay_out(likeness, torch.randn(2, 6), ["tapped"])


def test_a_model_of_one_batch_size_is_asked_once() -> None:
    seen: list[int] = []
    model = Through(end, nn.Conv1d(2, 3, 1))
    model.register_forward_pre_hook(lambda _model, given: seen.append(len(given[0])))
    pooling, _ = lay_out(model, torch.randn(4, 2, 4), ["tapped"], fixed_batch=4)
    assert seen == [4]
    assert (pooling.layouts["tapped"].rows, pooling.layouts["tapped"].channels) == (0, 1)
    time_first = Swapped(FirstOf(nn.LSTM(3, 4)))  # (4, 4, 4): time is as long as the batch
    pooling, _ = lay_out(time_first, torch.randn(4, 4, 3), ["module"], fixed_batch=4)
    assert (pooling.layouts["module"].rows, pooling.layouts["module"].channels) == (1, 2)


def test_the_padding_of_an_embedding_of_the_inputs_is_known() -> None:
    tokens = torch.randint(1, 9, (3, 5))
    assert lay_out(nn.Embedding(9, 4, padding_idx=2), tokens, ["logits"])[0].padding == 2
    assert lay_out(nn.Embedding(9, 4), tokens, ["logits"])[0].padding is None
    kinds = Through(end, Through(lambda x: x * 0), nn.Embedding(9, 4, padding_idx=0))
    assert lay_out(kinds, tokens, ["tapped"])[0].padding is None, "what it embeds are not the inputs"
