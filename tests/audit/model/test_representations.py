"""One pass gives the features of the untouched inputs, row by row, and leaves the model as it was."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from support.planted import labels
from torch import Tensor, nn

from audit.data.labelled import LabelledData, labelled
from audit.errors import BottleneckError, DataError, UnreadableError
from audit.model.example_networks import small_convnet
from audit.model.features import projection
from audit.model.features.gathered import Features
from audit.model.forward import Encoder, first_input
from audit.model.representations import encoding, extract

N = 23
SIDE = projection.RAW_SIDE


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class Flaky:
    """Inputs of which some cannot be read."""

    def __init__(self, x: Tensor, broken: set[int]) -> None:
        self.x, self.broken = x, broken

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int, /) -> Tensor:
        if row in self.broken:
            raise UnreadableError(f"Image {row} is cut off.")
        return self.x[row]


class Watched(nn.Module):
    """Counts its forward passes, and notes how many rows each was given."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.body, self.norm, self.head = nn.Linear(5, width), nn.BatchNorm1d(width), nn.Linear(width, 2)
        self.given: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.given.append(len(x))
        scores: Tensor = self.head(torch.relu(self.norm(self.body(x))))
        return scores


def inputs(n: int = N) -> Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(1))


def rows(x: Any = None) -> LabelledData:
    x = inputs() if x is None else x
    return labelled(x, {"y": labels(len(x)).tolist(), "v": [f"p{row % 3}" for row in range(len(x))]})


def body(model: Watched, x: Tensor) -> np.ndarray[Any, Any]:
    with torch.no_grad():
        found: np.ndarray[Any, Any] = model.body(x).numpy()
    return found


def test_rows_that_cannot_be_read_are_left_out_and_nothing_shifts_against_the_labels() -> None:
    broken = {0, 4, 5, 6, 7, 22}
    model, data = Watched(), rows(Flaky(inputs(), broken))
    found = extract(Encoder(model, batch_size=4), data, ["body"], task="y", columns=["y", "v"], raw=True)
    assert model.given[-8:] == [3, 3, 4, 4, 4, 4, 2, 2], "a batch of which nothing can be read is no batch"
    kept = [row for row in range(N) if row not in broken]
    assert found.rows.tolist() == kept
    assert found.predicted is not None and found.raw is not None
    assert len(found.predicted) == len(found.copies) == len(kept)
    np.testing.assert_allclose(found.z["body"], body(model, inputs()[kept]), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.raw, inputs()[kept])
    whole = extract(Encoder(model), rows().take(np.array(kept)), ["body"], task="y", columns=["y", "v"])
    assert found.fingerprint == whole.fingerprint
    assert found.predicted.tolist() == whole.predicted.tolist()  # type: ignore[union-attr]


def test_the_first_readable_input_stands_for_all_and_none_at_all_is_told() -> None:
    x = first_input(Watched(), rows(Flaky(inputs(), {0, 1})), rows=3)
    assert isinstance(x, Tensor)
    assert torch.equal(x, inputs()[2].repeat(3, 1))
    nothing = rows(Flaky(inputs(), set(range(N))))
    for read in (lambda: first_input(Watched(), nothing), lambda: extract(Encoder(Watched()), nothing, ["body"])):
        with pytest.raises(DataError, match="None of the 23 inputs of arrays can be read"):
            read()


def test_processes_that_read_inputs_change_nothing() -> None:
    model, data = Watched(), rows(Flaky(inputs(), {3}))
    alone, beside = (extract(Encoder(model, batch_size=4, workers=w), data, ["body"], columns=["v"]) for w in (0, 1))
    assert beside.fingerprint == alone.fingerprint
    np.testing.assert_array_equal(beside.z["body"], alone.z["body"])


def test_a_model_that_changes_its_input_in_place_is_noticed_and_the_input_stays() -> None:
    class Greedy(Watched):
        def forward(self, x: Tensor) -> Tensor:
            scores = super().forward(x)
            x.zero_()
            return scores

    model, x = Greedy(), inputs()
    found = extract(Encoder(model, batch_size=4), rows(x), ["body"], columns=["v"])
    assert found.notes == ("the model changes its inputs in place; it was given copies",)
    assert torch.equal(x, inputs())
    np.testing.assert_allclose(found.z["body"], body(model, inputs()), rtol=1e-5, atol=1e-6)
    assert extract(Encoder(Watched()), rows(), ["body"]).notes == ()
    strange = torch.cat([inputs(), torch.full((1, 5), torch.nan)])  # NaN is unlike itself, and was not changed
    with pytest.raises(BottleneckError, match="NaN or infinity for 1 of 24 rows"):
        extract(Encoder(Watched()), rows(strange), ["body"])


def test_a_relu_in_place_on_the_input_is_noticed_too() -> None:
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(5, 2))
    found = extract(Encoder(model), rows(), ["1:input"])
    assert found.notes
    np.testing.assert_array_equal(found.z["1:input"], inputs().clamp(min=0))


@pytest.mark.parametrize("layout", ["channels last", "float64", "uint8"])
def test_images_of_any_layout_and_type_are_read(layout: str) -> None:
    class Images(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flat = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.flat(x.float().flatten(1))
            return found

    x = torch.randint(0, 255, (6, 4, 4, 3), generator=torch.Generator().manual_seed(0))
    kinds = {"channels last": torch.float32, "float64": torch.float64, "uint8": torch.uint8}
    images = x.to(kinds[layout]).permute(0, 3, 1, 2)  # as a reader of files gives them
    images = images if layout == "channels last" else images.contiguous()
    found = extract(Encoder(Images(), batch_size=4), labelled(images, {"v": list("ababab")}), ["flat"], raw=True)
    np.testing.assert_array_equal(found.z["flat"], images.float().flatten(1))
    np.testing.assert_array_equal(found.raw, images.float().flatten(1))
    assert found.raw_source == "the input"


def test_a_model_that_puts_itself_in_train_mode_is_refused() -> None:
    class Stubborn(Watched):
        def forward(self, x: Tensor) -> Tensor:
            self.norm.train()
            return super().forward(x)

    model = Stubborn().eval()
    with pytest.raises(BottleneckError, match="'norm' in train mode"):
        extract(Encoder(model), rows(), ["body"])
    assert not model.norm.training


@pytest.mark.slow
def test_a_layer_too_wide_is_projected_and_encoded_by_the_same_projection() -> None:
    model = Watched(width=2100)
    found = extract(Encoder(model, batch_size=4), rows(), ["body", "head"])
    assert found.z["body"].shape == (N, projection.PROJECTED)
    assert found.z["head"].shape == (N, 2)
    assert list(found.projections) == ["body"]
    assert found.projections["body"].n_features_in_ == 2100
    for layer in ("body", "head"):
        with encoding(Encoder(model), layer, found) as encode:
            np.testing.assert_allclose(encode(inputs()), found.z[layer], rtol=1e-4, atol=1e-5)
    distances = np.linalg.norm(found.z["body"][:-1] - found.z["body"][1:], axis=1)
    z = body(model, inputs())
    np.testing.assert_allclose(distances, np.linalg.norm(z[:-1] - z[1:], axis=1), rtol=0.25)
    again, other = (extract(Encoder(model), rows(), ["body"], seed=seed).z["body"] for seed in (0, 1))
    np.testing.assert_allclose(again, found.z["body"], rtol=1e-4, atol=1e-5)
    assert not np.allclose(other, again)
    strange = torch.cat([inputs(), torch.full((1, 5), torch.nan)])
    with pytest.raises(BottleneckError, match=f"NaN or infinity for 1 of {N + 1} rows"):
        extract(Encoder(model), rows(strange), ["body"])


class Exactly(Watched):
    """Takes a batch of one size alone, as an exported program may."""

    def forward(self, x: Tensor) -> Tensor:
        if len(x) != 8:
            raise RuntimeError(f"Expected 8 rows, got {len(x)}")
        return super().forward(x)


def test_a_model_of_one_batch_size_gets_full_batches_and_the_padding_is_not_seen() -> None:
    model, data = Exactly(), rows(Flaky(inputs(), {9}))
    found = extract(Encoder(model, batch_size=3, fixed_batch=8), data, ["body", "logits"], task="y")
    assert set(model.given) == {8}
    kept = np.delete(np.arange(N), 9)
    np.testing.assert_allclose(found.z["body"], body(model, inputs()[kept]), rtol=1e-5, atol=1e-6)
    assert found.predicted is not None
    assert len(found.predicted) == len(found.z["logits"]) == N - 1
    with encoding(Encoder(model, fixed_batch=8), "body") as encode:
        np.testing.assert_allclose(encode(inputs()[kept]), found.z["body"], rtol=1e-5, atol=1e-6)
    with pytest.raises(
        DataError, match=r"cannot take the inputs of arrays, of shape \[5\] \(RuntimeError: Expected 8 rows"
    ):
        first_input(model, data)


def test_several_layers_cost_one_pass() -> None:
    model = Watched()
    found = extract(Encoder(model, batch_size=10), rows(), ["body", "norm", "head:input", "logits"], task="y", raw=True)
    assert model.given == [*(2, 3), *(8, 8, 3, 3, 2), *(10, 10, 10, 10, 3, 3)], "a few, and then all; turned, too"
    assert list(found.z) == ["body", "norm", "head:input", "logits"]
    np.testing.assert_array_equal(found.z["logits"].argmax(axis=1), found.predicted)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, None])
def test_the_model_is_bit_identical_and_in_its_own_modes_whatever_happens(failure: type[BaseException] | None) -> None:
    class Failing(Watched):
        def forward(self, x: Tensor) -> Tensor:
            if failure and len(self.given) == 2:
                raise failure
            return super().forward(x)

    def state(model: nn.Module) -> list[Any]:
        hooks = [(len(one._forward_hooks), len(one._forward_pre_hooks)) for one in model.modules()]
        tensors = [tensor.clone() for tensor in model.state_dict().values()]
        return [[one.training for one in model.modules()], hooks, [t.numpy().tobytes() for t in tensors]]

    model = Failing().train()
    model.norm.eval()  # a frozen batch norm inside a model in train mode
    before = state(model)
    told = DataError if failure is ValueError else failure
    if told:
        with pytest.raises(told):
            extract(Encoder(model, batch_size=4), rows(), ["body", "head:input"], task="y")
    else:
        extract(Encoder(model, batch_size=4), rows(), ["body", "head:input"], task="y")
    assert state(model) == before
    assert all(parameter.grad is None for parameter in model.parameters())
    if told:
        with pytest.raises(told), encoding(Encoder(model), "body") as encode:
            encode(inputs())
        assert state(model) == before


def test_rows_with_the_very_same_input_have_one_number() -> None:
    x = inputs()
    x[7], x[12], x[20] = x[3], x[3], x[5]
    x[21] = x[5] + 1e-6  # alike is not the same
    found: Features = extract(Encoder(Watched()), rows(x), ["body"])
    same = {frozenset(np.flatnonzero(found.copies == one).tolist()) for one in np.unique(found.copies)}
    assert {one for one in same if len(one) > 1} == {frozenset({3, 7, 12}), frozenset({5, 20})}


@pytest.mark.parametrize(
    ("shape", "source", "width"),
    [
        ((3, 40, 40), f"the input, averaged to 3 × {SIDE} × {SIDE}", 3 * SIDE * SIDE),
        ((1, 28, 10), f"the input, averaged to 1 × {SIDE} × 10", SIDE * 10),
        ((3, 8, 8), "the input", 192),
        ((50,), "the input", 50),
        ((40, 60), "the input, projected to 1024 numbers", 1024),
    ],
)
def test_inputs_are_made_narrow_enough_to_attack(shape: tuple[int, ...], source: str, width: int) -> None:
    x = torch.randn(3, *shape)
    model = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 2))
    found = extract(Encoder(model), labelled(x, {"v": ["a", "b", "a"]}), ["1"], raw=True)
    assert found.raw is not None
    assert (found.raw_source, found.raw.shape) == (source, (3, width))
    if len(shape) == 3:
        np.testing.assert_allclose(found.raw.mean(axis=1), x.flatten(1).mean(dim=1), atol=0.1)
    assert extract(Encoder(model), labelled(x, {"v": ["a", "b", "a"]}), ["1"]).raw is None


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda: [torch.zeros(5), torch.zeros(6)] * 3, r"unlike shapes: \[5\] and \[6\]"),
        (lambda: torch.zeros(6, 7), r"cannot take the inputs of arrays, of shape \[7\]"),
    ],
)
def test_inputs_that_do_not_fit_are_told(make: Callable[[], Any], fact: str) -> None:
    data = labelled(make(), {"v": list("ababab")})

    def read() -> None:
        first_input(Watched(), data)
        extract(Encoder(Watched()), data, ["body"])

    with pytest.raises(DataError, match=fact) as caught:
        read()
    assert "\n" not in str(caught.value)


def test_the_fingerprint_is_that_of_the_labels_asked_for() -> None:
    one, other = (
        extract(Encoder(Watched()), rows(), ["body"], columns=names).fingerprint for names in (["v"], ["v", "y"])
    )
    assert one != other


def test_an_image_net_gives_the_same_features_in_the_audit_and_in_the_map() -> None:
    model = small_convnet()
    images = torch.randn(9, 3, 8, 8)
    found = extract(Encoder(model, batch_size=4), labelled(images, {"v": list("ababababa")}), ["classifier:input"])
    with encoding(Encoder(model), "classifier:input") as encode:
        np.testing.assert_allclose(encode(images), found.z["classifier:input"], rtol=1e-4, atol=1e-5)
