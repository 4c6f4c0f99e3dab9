"""A mean over positions is asked about where the model takes them by their places, and not where it takes all alike."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.errors import BottleneckError
from audit.model.checkpoint import load
from audit.model.layers import changed, lay_out
from audit.model.structure.layout import Layout
from audit.model.trial_runs import require_alike

N, T, D = 3, 6, 4


class Behind(nn.Module):
    """A layer, what follows it, and weights of the model's own for that."""

    def __init__(self, layer: nn.Module, end: Callable[["Behind", Tensor], object]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.end = layer, end
        self.places, self.square = nn.Parameter(torch.randn(T, D)), nn.Parameter(torch.randn(D, D))
        self.query = nn.Parameter(torch.randn(1, D))
        self.lstm, self.conv = nn.LSTM(D, D, batch_first=True), nn.Conv2d(D, D, 3, padding=1)
        self.deep = nn.Conv2d(D, D, T, groups=D)
        self.block = nn.TransformerEncoderLayer(D, 2, 8, batch_first=True)

    def forward(self, x: Tensor) -> object:
        return self.end(self, self.layer(x))


def tokens() -> nn.Module:
    return nn.Linear(D, D)


def maps() -> nn.Module:
    return nn.Conv2d(D, D, 1)


def asked(layer: nn.Module, end: Callable[[Behind, Tensor], object]) -> str:
    """Return what is said of the order of the layer's positions; raise where their mean is refused."""
    model = Behind(layer, end)
    x = torch.randn(N, T, D) if isinstance(layer, nn.Linear) else torch.randn(N, D, T, T)
    pooling, _ = lay_out(model, x, ["layer"])
    return require_alike(model, x, pooling).layouts["layer"].beyond


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return torch.softmax(query @ key.transpose(-1, -2), -1) @ value


def stepwise(m: Behind, z: Tensor) -> Tensor:
    state = torch.zeros_like(z[:, 0])
    for one in z.unbind(1):
        state = torch.tanh(one + state @ m.square)
    return state


TAKEN: dict[str, tuple[Callable[[], nn.Module], Callable[[Behind, Tensor], object], str]] = {
    "a class token": (tokens, lambda _, z: z[:, 0], "takes position 0 of its 6.*--pool first"),
    "a last step": (tokens, lambda _, z: z[:, -1], "takes position -1 of its 6.*--pool last"),
    "select": (tokens, lambda _, z: torch.select(z, 1, 2), "takes position 2 of its 6, so"),
    "a slice of one": (tokens, lambda _, z: z[:, :1].flatten(1), "takes position 0 of its 6.*--pool first"),
    "index_select": (tokens, lambda _, z: z.index_select(1, torch.tensor([1])), "takes 1 of its 6 positions"),
    "narrow": (tokens, lambda _, z: z.narrow(1, 0, 2).mean(1), "takes 2 of its 6 positions"),
    "split": (tokens, lambda _, z: torch.split(z, [1, 5], dim=1)[0].squeeze(1), "takes 1 of its 6 positions"),
    "unbind": (tokens, lambda _, z: z.unbind(1)[5], "takes position -1 of its 6"),
    "gather": (tokens, lambda _, z: z.gather(1, torch.zeros(len(z), 1, D).long()), "takes 1 of its 6 positions"),
    "by number": (tokens, lambda _, z: z[torch.arange(len(z)), torch.ones(len(z)).long()], "by their numbers"),
    "a mean of a few": (tokens, lambda _, z: z[:, 1:4].mean(1), "takes 3 of its 6 positions"),
    "steps by hand": (tokens, stepwise, "takes position"),
    "a token behind a layer": (tokens, lambda m, z: torch.relu(z @ m.square)[:, 0], "takes position 0 of its 6"),
    "a token behind attention": (tokens, lambda m, z: m.block(z)[:, 0], "takes position 0 of its 6"),
    "flatten": (tokens, lambda _, z: z.flatten(1) * 2, "takes all of it, position by position"),
    "flatten behind a layer": (tokens, lambda m, z: (z @ m.square).transpose(1, 2).reshape(len(z), -1), "takes all"),
    "einsum": (tokens, lambda m, z: torch.einsum("btd,td->bd", z, m.places), "weighs each position"),
    "matmul": (tokens, lambda m, z: z.transpose(1, 2) @ m.places[:, :1], "weighs each position"),
    "a product": (tokens, lambda m, z: (z * m.places).sum(1), "multiplies something of its own"),
    "places and attention": (
        tokens, lambda m, z: attention(m.query, z + m.places, z).flatten(1), "adds or multiplies something of its own",
    ),
    "places of tokens": (tokens, lambda m, z: m.block(z + m.places).mean(1), "adds or multiplies something of its own"),
    "a last state": (tokens, lambda m, z: m.lstm(z)[1][0][-1], "last state"),
    "a kernel as large": (maps, lambda m, z: m.deep(z).flatten(1), "weighs each position"),
    "a pool and flatten": (maps, lambda _, z: functional.max_pool2d(z, 2).flatten(1) + 0, "takes all of it"),
    "an adaptive pool": (maps, lambda _, z: functional.adaptive_avg_pool2d(z, 2).flatten(1), "takes all of it"),
    "a convolution": (maps, lambda m, z: m.conv(z).flatten(1), "takes all of it"),
    "one axis of two": (maps, lambda _, z: z.mean(2).flatten(1), "takes all of it"),
    "what cannot be followed": (
        maps, lambda _, z: torch.fft.rfft2(z).real[..., 0, 1], "another answer when its positions are moved",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TAKEN)
def test_a_mean_is_asked_about_where_a_model_takes_positions_by_their_places(case: str) -> None:
    layer, end, fact = TAKEN[case]
    with pytest.raises(BottleneckError, match=fact) as caught:
        asked(layer(), end)
    assert "\n" not in str(caught.value)


def heads(m: Behind, z: Tensor) -> Tensor:
    parted = z.view(len(z), T, 2, 2).transpose(1, 2)
    mixed = functional.scaled_dot_product_attention(parted, parted, parted)
    return mixed.transpose(1, 2).reshape(len(z), T, D).mean(1)


def normed(_: Behind, z: Tensor) -> Tensor:
    flat = z.flatten(1)
    found: Tensor = (flat / flat.norm(dim=1, keepdim=True)).view(z.shape).mean((2, 3))
    return found


ALIKE: dict[str, tuple[Callable[[], nn.Module], Callable[[Behind, Tensor], object]]] = {
    "a mean": (tokens, lambda _, z: z.mean(1)),
    "a sum": (maps, lambda _, z: z.sum((2, 3))),
    "a global pool": (maps, lambda _, z: functional.adaptive_avg_pool2d(2 * z, 1).flatten(1)),
    "a mean of one flat axis": (maps, lambda _, z: z.flatten(2).mean(2)),
    "a layer in a line and a mean": (tokens, lambda m, z: torch.relu((z @ m.square).mean(1))),
    "squeeze and excite": (maps, lambda _, z: (z * z.mean((2, 3), keepdim=True).sigmoid()).mean((2, 3))),
    "a token that goes nowhere": (tokens, lambda _, z: z.mean(1) + 0 * z[:, 0]),
}  # fmt: skip
MORE: dict[str, tuple[Callable[[], nn.Module], Callable[[Behind, Tensor], object]]] = {
    "a maximum": (maps, lambda _, z: z.amax((2, 3))),
    "mean and deviation": (tokens, lambda _, z: torch.cat([z.mean(1), z.std(1)], 1)),
    "the largest few": (tokens, lambda _, z: z.topk(3, dim=1).values.mean(1)),
    "products": (tokens, lambda _, z: (z.transpose(1, 2) @ z).flatten(1)),
    "a norm of each channel": (maps, lambda _, z: z.norm(dim=(2, 3))),
    "a global pool of a ReLU": (maps, lambda _, z: functional.adaptive_avg_pool2d(torch.relu(z), 1).flatten(1)),
    "a layer and a mean": (tokens, lambda m, z: torch.relu(z @ m.square).mean(1)),
    "attention by a query": (tokens, lambda m, z: attention(m.query, z, z).flatten(1)),
    "attention and a mean": (tokens, lambda m, z: m.block(z).mean(1)),
    "heads": (tokens, heads),
    "a norm by hand": (maps, normed),
}  # fmt: skip


@pytest.mark.parametrize("case", ALIKE)
def test_nothing_is_asked_or_said_where_a_model_takes_the_mean_of_its_positions(case: str) -> None:
    layer, end = ALIKE[case]
    assert asked(layer(), end) == ""


@pytest.mark.parametrize("case", MORE)
def test_a_model_that_takes_positions_alike_and_more_than_their_mean_is_told_of(case: str) -> None:
    layer, end = MORE[case]
    assert asked(layer(), end) == "; the model's answer depends on more of them than their mean, which a mean hides"


def test_the_mean_at_each_position_leaves_padding_as_it_was() -> None:
    value, filled = torch.randn(2, 6, 3), torch.tensor([[False] * 4 + [True] * 2, [False] * 6])
    level = Layout(0, 2).levelled(value, filled)
    assert torch.allclose(level[0, :4], value[0, :4].mean(0).expand(4, 3))
    assert torch.equal(level[0, 4:], value[0, 4:])
    assert torch.allclose(level[1], value[1].mean(0).expand(6, 3))
    maps_of = torch.randn(2, 3, 4, 5)
    assert torch.allclose(Layout(0, 1).levelled(maps_of, None).mean((2, 3)), maps_of.mean((2, 3)), atol=1e-6)


def test_positions_that_neighbours_mix_with_and_that_are_then_taken_alike_are_told_of() -> None:
    said = "; the model's answer depends on their order, which a mean hides"
    assert asked(maps(), lambda m, z: m.conv(z).mean((2, 3))) == said
    assert asked(tokens(), lambda m, z: m.lstm(z)[0].mean(1)) == said
    assert asked(tokens(), lambda _, z: z[:, 1:].mean(1)) == said, "all but a class token"


def test_a_model_that_hands_its_positions_on_is_not_asked_about_a_token_beside_them() -> None:
    said = asked(tokens(), lambda m, z: (m.block(z), torch.tanh(m.block(z)[:, 0])))
    assert said == "; the model gives out every position, and a mean hides what lies beyond it"


def test_values_are_changed_at_inputs_and_in_parts_of_tuples_and_mappings() -> None:
    class Parts(nn.Module):
        def forward(self, x: Tensor) -> object:
            return {"a": (x, x + 1)}

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts, self.end = Parts(), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            made = self.parts(x)["a"]
            found: Tensor = self.end(input=made[0] + 10 * made[1])
            return found

    model, x = Sum(), torch.zeros(2)
    for name, wanted in {"parts[a][0]": 15.0, "parts[a][1]": 50.0, "end:input": 5.0}.items():
        with changed(model, name, lambda value: torch.full_like(value, 5.0)):
            assert model(x).tolist() == [wanted] * 2
    assert model(x).tolist() == [10.0] * 2


def test_padding_stays_where_it_is_when_positions_are_moved() -> None:
    value, filled = torch.randn(2, 6, 3), torch.tensor([[False] * 4 + [True] * 2, [False] * 6])
    moved = Layout(0, 2).moved(value, filled)
    assert torch.equal(moved[:, 4:], value[:, 4:])
    assert not torch.equal(moved[:, :4], value[:, :4])
    assert torch.equal(moved.sum(1), value.sum(1)) or torch.allclose(moved.sum(1), value.sum(1))


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
def test_what_follows_in_a_scripted_program_can_neither_be_followed_nor_tried_and_is_asked_about(
    tmp_path: Path,
) -> None:
    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.fc = nn.Conv1d(1, D, 3, padding=1), nn.Linear(D, 2)

        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = self.fc(torch.relu(self.layer(x))[:, :, 0])
            return scores

    torch.jit.save(torch.jit.script(First().eval()), tmp_path / "first.pt")
    model, x = load(tmp_path / "first.pt").module, torch.randn(N, 1, T)
    pooling, _ = lay_out(model, x, ["layer"])
    with pytest.raises(BottleneckError, match=r"neither be followed nor tried .* may hide .* --pool channels-first"):
        require_alike(model, x, pooling)
    said, _ = lay_out(model, x, ["layer"], "channels-first")
    assert require_alike(model, x, said).layouts["layer"].fate is None
