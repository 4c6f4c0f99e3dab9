"""Layers are listed with the width that pooling leaves, and what leaves an encoder is what is suggested."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.errors import BottleneckError
from audit.model.example_networks import small_convnet
from audit.model.structure.listing import layers, suggest


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class Speech(nn.Module):
    """An encoder without a classifier: frames, their mean, a projection."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.body = nn.GRU(4, 8, batch_first=True)
        self.inner, self.projection = nn.Linear(8, 8), nn.Linear(8, width)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.projection(self.inner(self.body(x)[0].mean(1)))
        return found


class Bert(nn.Module):
    """Tokens leave it, and a pooler that runs last is used by nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.pooler = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = self.layer(self.words(x))
        self.pooler(tokens[:, 0])
        return tokens


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean, self.log_variance = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean(x), self.log_variance(x)


class Squeezed(nn.Module):
    """A classifier without a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.last = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.last(functional.relu(self.body(x)))).mean(dim=(2, 3))


class Backwards(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.body = nn.Linear(4, 2), nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.body(x))
        return scores


class Scorer(nn.Module):
    """Scores, and behind them what does not change what they say."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.fc = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.log_softmax(self.fc(self.body(x)) / 2.5, dim=1)


FRAMES, IMAGE, TOKENS = torch.randn(2, 6, 4), torch.randn(1, 3, 8, 8), torch.randint(0, 50, (2, 7))


@pytest.mark.parametrize(
    ("model", "x", "classes", "wanted"),
    [
        (Speech(), FRAMES, None, "logits"),
        (Speech(), FRAMES, 24, "projection:input"),
        (Speech(3), FRAMES, None, "projection:input"),
        (Bert(), TOKENS, None, "logits"),
        (nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU()), IMAGE, None, "logits"),
        (nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)), torch.randn(2, 3), None, "logits"),
        (Squeezed(), IMAGE, 5, "last:input"),
        (small_convnet(), IMAGE, 10, "classifier:input"),
        (small_convnet(), IMAGE, None, "classifier:input"),
        (small_convnet(), IMAGE, 3, "logits"),
        (Backwards(), torch.randn(1, 3), 2, "head:input"),
        (Backwards(), torch.randn(1, 3), None, "head:input"),
        (Scorer(), torch.randn(1, 3), None, "fc:input"),
        (nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1), nn.Flatten(0)), torch.randn(1, 3), 2, "1:input"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, nn.Module) else "",
)
def test_the_input_of_what_scores_the_classes_is_suggested_and_else_what_leaves(
    model: nn.Module, x: Tensor, classes: int | None, wanted: str
) -> None:
    assert suggest(model, x, classes=classes) == wanted


def test_a_net_of_many_classes_is_told_by_its_task() -> None:
    from torchvision.models import resnet18  # noqa: PLC0415 - torchvision takes a second to import

    model, image = resnet18(), torch.zeros(1, 3, 32, 32)
    assert (suggest(model, image), suggest(model, image, classes=1000)) == ("logits", "fc:input")


def test_of_several_values_none_is_guessed() -> None:
    with pytest.raises(BottleneckError, match=r"returns 2 values.*: logits\[0\], logits\[1\]\.$"):
        suggest(Vae(), torch.randn(2, 4))
    with pytest.raises(BottleneckError, match=r"2 parts that may be the scores .*: --model-output 0, of 0, 1\.$"):
        suggest(Vae(), torch.randn(2, 4), classes=3)
    one = nn.GRU(4, 3, batch_first=True)
    with pytest.raises(BottleneckError, match=r"logits\[0\], logits\[1\]"):
        suggest(one, FRAMES)

    class Named(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"mask": x > 0, "embedding": x * 2}

    assert suggest(Named(), torch.randn(2, 4)) == "logits[embedding]"


class Fused(nn.Module):
    """Scores that two heads make together."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 2), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = (self.a(x[:, :3]) + 0.1 * self.b(x[:, 3:])) / 2
        return scores


class Cosine(nn.Module):
    """Scores by the angle to a weight that is no module, and a temperature of the row's own."""

    def __init__(self, *, temperature: bool) -> None:
        super().__init__()
        self.body, self.temperature = nn.Linear(6, 4), nn.Linear(6, 1) if temperature else None
        self.weight = nn.Parameter(torch.randn(2, 4))

    def forward(self, x: Tensor) -> Tensor:
        angle = functional.linear(functional.normalize(self.body(x)), functional.normalize(self.weight))
        return angle if self.temperature is None else angle * functional.softplus(self.temperature(x))


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head, self.gate = nn.Linear(6, 4), nn.Linear(4, 2), nn.Linear(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.body(x)) + 0.01 * self.gate(x[:, 5:])
        return scores


@pytest.mark.parametrize(
    "model",
    [Fused(), Cosine(temperature=False), Cosine(temperature=True), Gated()],
    ids=["two heads", "a weight", "a temperature", "a gate"],
)
def test_where_no_one_layer_makes_the_scores_the_layer_is_asked_for(model: nn.Module) -> None:
    with pytest.raises(BottleneckError, match=r"No linear layer .* alone makes .* Name one with --layer \(logits"):
        suggest(model, torch.randn(2, 6), classes=2)
    assert suggest(model, torch.randn(2, 6)) == "logits"


def test_scores_without_a_layer_that_makes_them_are_told() -> None:
    with pytest.raises(BottleneckError, match="No linear layer or convolution alone makes"):
        suggest(nn.Identity(), torch.randn(2, 2), classes=2)


class Zoo(nn.Module):
    """Layers that run never, once, twice, and one that gives a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.never, self.once, self.twice = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.rnn = nn.GRU(4, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        h, _ = self.rnn(self.twice(self.twice(self.once(x))).unsqueeze(1))
        scores: Tensor = h[:, 0]
        return scores


def test_layers_lists_shapes_and_how_often_each_fires() -> None:
    found = {layer.name: layer for layer in layers(Zoo(), torch.zeros(2, 4))}
    assert (found["never"].fired, found["once"].fired, found["twice"].fired) == (0, 1, 2)
    assert (found["once"].shape, found["rnn"].shape, found["never"].shape) == ((4,), None, None)
    assert found["rnn"].kind == "GRU"


class Last(nn.Module):
    """Maps with their channels last, as an identity hands them on."""

    def __init__(self, head: bool) -> None:
        super().__init__()
        self.norm, self.head = nn.Identity(), nn.Linear(4, 2) if head else None

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(x).mean((1, 2))
        return found if self.head is None else self.head(found)


@pytest.mark.parametrize(
    ("model", "x", "shape", "width"),
    [
        (nn.Sequential(nn.Conv1d(1, 8, 1)), torch.randn(2, 1, 16), (8, 16), 8),
        (nn.Sequential(nn.Conv3d(2, 5, 1)), torch.randn(2, 2, 4, 4, 4), (5, 4, 4, 4), 5),
        (Last(head=True), torch.randn(2, 6, 6, 4), (6, 6, 4), 4),
        (Last(head=False), torch.randn(2, 6, 6, 4), (6, 6, 4), None),
        (nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16)), torch.randn(7, 2, 8).movedim(1, 0), (7, 8), 8),
        (nn.Sequential(nn.Linear(4, 6)), torch.randn(2, 4), (6,), 6),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1)), torch.randn(2, 6, 4, 4), (6, 1, 1), 6),
    ],
)
def test_the_width_is_that_of_the_channels_and_unknown_where_nobody_knows_them(
    model: nn.Module, x: Tensor, shape: tuple[int, ...], width: int | None
) -> None:
    first = layers(model, x)[0]
    assert (first.shape, first.width) == (shape, width)


def test_a_linear_layer_of_timms_own_class_is_known() -> None:
    timm = pytest.importorskip("timm")
    head = timm.layers.Linear(4, 2)
    assert type(head).forward is not nn.Linear.forward
    model = nn.Sequential(nn.Linear(3, 4), head)
    assert suggest(model, torch.randn(2, 3), classes=2) == "1:input"
