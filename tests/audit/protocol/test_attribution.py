"""Where an attacker reads: a leak planted in one unit or one corner is found there and nowhere else."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor, nn

from audit.data.columns import Ints
from audit.data.labelled import Inputs
from audit.data.model_input import ModelInput
from audit.data.on_disk import Floats
from audit.data.sources.opening import open_data
from audit.errors import DataError, UnreadableError
from audit.evidence.findings import Where
from audit.model.example_networks import small_convnet
from audit.model.layers import tap
from audit.model.structure.eval_mode import evaluating
from audit.protocol.attribution import Attack, Attacked, Encode, Sizes, where

N, WIDTH = 400, 32


def planted(*units: int, width: int = WIDTH, strength: float = 2.0) -> tuple[Floats, Ints]:
    """Noise that tells nothing of v but in the given units, which all say the same."""
    generator = np.random.default_rng(0)
    v = np.arange(2 * N) % 2
    z = generator.normal(size=(2 * N, width))
    shared = strength * (2 * v - 1) + generator.normal(size=2 * N)
    for unit in units:
        z[:, unit] = shared + 0.01 * generator.normal(size=2 * N)
    return z.astype(np.float32), v.astype(np.int64)


def fitted(z: Floats, v: Ints) -> Attack:
    estimator = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)).fit(z, v)
    return lambda rows: np.asarray(np.log2(np.maximum(estimator.predict_proba(rows), 1e-12)))


def asked(
    attack: Attack,
    z: Floats,
    v: Ints,
    *,
    attacker: str = "a",
    encode: Encode | None = None,
    inputs: Inputs | None = None,
    seed: int = 0,
    **sizes: int,
) -> Where:
    """Ask one attacker where, about all rows."""
    return where(Attacked(attacker, attack, z, v, encode, inputs), seed=seed, sizes=Sizes(**sizes))


def read(z: Floats, v: Ints, **changes: Any) -> Where:
    """Attack the first half of the rows and ask where in the second."""
    half = len(z) // 2
    given: dict[str, Any] = {"attacker": "logistic on standardised", **changes}
    return asked(fitted(z[:half], v[:half]), z[half:], v[half:], **given)


def pooling(kernel: int) -> nn.Module:
    """An encoder whose every unit is the mean of one square of the input."""
    return nn.Sequential(nn.AvgPool2d(kernel), nn.Flatten())


def through(encoder: nn.Module) -> Encode:
    def encode(images: ModelInput) -> Floats:
        with evaluating(encoder), torch.inference_mode():
            return np.asarray(encoder(images).numpy(), dtype=np.float32)

    return encode


def cornered(side: int = 16) -> tuple[Tensor, Ints]:
    """Images of noise that are brighter in the top-left quarter of their height and width where v is 1."""
    generator = torch.Generator().manual_seed(0)
    v = torch.arange(2 * N) % 2
    images = torch.randn(2 * N, 3, side, side, generator=generator)
    images[:, :, : side // 4, : side // 4] += 0.5 * v[:, None, None, None]
    return images, v.numpy()


def test_a_leak_planted_in_one_unit_is_found_there_and_nowhere_else() -> None:
    found = read(*planted(3), units=WIDTH)
    assert (found.samples, found.width, found.attacker) == (128, WIDTH, "logistic on standardised")
    assert found.units[0].index == 3
    assert found.units[0].bits > 1  # a sure and wrong answer costs more than the bit it hid
    assert max(abs(unit.bits) for unit in found.units[1:]) < 0.05
    bits = [unit.bits for unit in found.units]
    assert bits == sorted(bits, reverse=True)


def test_without_a_leak_no_unit_is_worth_anything() -> None:
    z, v = planted()
    assert max(abs(unit.bits) for unit in read(z, v, units=WIDTH).units) < 0.05


def test_the_bits_are_what_shuffling_by_hand_costs() -> None:
    z, v = planted(3, strength=0.5)
    attack = fitted(z, v)
    found = asked(attack, z, v, samples=len(z), units=1)
    rows, generator = np.arange(len(z)), np.random.default_rng(5)
    costs = []
    for _ in range(30):
        shuffled = z.copy()
        shuffled[:, 3] = generator.permutation(z[:, 3])
        costs.append((attack(z)[rows, v] - attack(shuffled)[rows, v]).mean())
    assert found.units[0].bits == pytest.approx(np.mean(costs), rel=0.1)


@pytest.mark.slow
def test_an_attacker_that_is_not_linear_can_be_asked_in_a_wide_layer() -> None:
    z, v = planted(width=512)
    z[:, 200] += 4 * np.sign(z[:, 200])
    v = ((z[:, 200] > 0) ^ (z[:, 17] > 0)).astype(np.int64)  # neither unit alone tells anything
    z[:, 17] *= 4
    machine = SVC(gamma=0.01).fit(z[:N], v[:N])

    def attack(rows: Floats) -> Any:
        margin = machine.decision_function(rows)
        return -np.logaddexp(0, 3 * np.stack([margin, -margin], axis=1)) / np.log(2)

    found = asked(attack, z[N:], v[N:], attacker="rbf-svm", samples=100, units=5)
    assert {unit.index for unit in found.units[:2]} == {17, 200}
    assert len(found.units) == 5
    assert found.units[1].bits > 10 * abs(found.units[2].bits)


def test_units_that_say_the_same_hide_each_other() -> None:
    alone = read(*planted(3)).units
    twins = read(*planted(3, 4)).units
    assert {unit.index for unit in twins[:2]} == {3, 4}
    assert sum(unit.bits for unit in twins[:2]) < 0.7 * alone[0].bits


def test_a_leak_in_the_corner_lights_that_patch_and_no_other() -> None:
    images, v = cornered()
    encode = through(pooling(2))
    found = read(encode(images), v, encode=encode, inputs=images[N:], patches=4)
    assert (found.patch, found.note) == ([4, 4], "")
    shown = np.array(found.input_map)
    assert shown.shape == (4, 4)
    assert shown[0, 0] > 0.5
    others = np.delete(shown.ravel(), 0)
    assert np.abs(others).max() < 0.1 * shown[0, 0]
    assert all(unit.index % 64 in (0, 1, 8, 9) for unit in found.units[:4])  # the 2 × 2 squares of that corner


def test_hiding_everything_costs_what_the_mean_image_cannot_tell() -> None:
    images, v = cornered()
    encode = through(pooling(2))
    attack = fitted(encode(images[:N]), v[:N])
    z, v, inputs = encode(images[N:]), v[N:], images[N:]
    found = asked(attack, z, v, encode=encode, inputs=inputs, samples=N, units=1, patches=1)
    told, blind = attack(z)[np.arange(N), v], attack(encode(inputs.mean(dim=0, keepdim=True)))[0, v]
    assert found.patch == [16, 16]
    assert np.array(found.input_map) == pytest.approx(np.array([[(told - blind).mean()]]), abs=1e-4)


def test_a_patch_is_hidden_by_the_mean_image_and_not_by_black() -> None:
    images, v = cornered()
    encode = through(pooling(2))
    lifted = images + 100  # black would now be unlike anything that the attacker saw
    found, plain = (
        read(encode(given), v, encode=encode, inputs=given[N:], patches=4).input_map for given in (lifted, images)
    )
    np.testing.assert_allclose(np.array(found), np.array(plain), atol=0.02)


@pytest.mark.parametrize(
    ("side", "patches", "shape", "patch"),
    [((16, 12), 8, (8, 6), [2, 2]), ((18, 17), 4, (4, 4), [5, 5]), ((6, 6), 8, (3, 3), [2, 2])],
)
def test_patches_cover_the_whole_image(
    side: tuple[int, int], patches: int, shape: tuple[int, int], patch: list[int]
) -> None:
    generator = torch.Generator().manual_seed(0)
    v = np.arange(2 * N) % 2
    images = torch.randn(2 * N, 1, *side, generator=generator)
    images[:, :, -1, -1] += 3 * torch.from_numpy(v)[:, None]  # the last pixel alone
    encode = through(nn.Flatten())
    found = read(encode(images), v, encode=encode, inputs=images[N:], patches=patches, samples=64)
    shown = np.array(found.input_map)
    assert (shown.shape, found.patch) == (shape, patch)
    assert shown.argmax() == shown.size - 1


def test_the_background_of_real_digits_shows_at_the_border_and_the_model_stays_as_it_was() -> None:
    data = open_data("digits", "audit", {}).limited(1000, seed=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = small_convnet()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def encode(images: Tensor) -> Floats:
        with evaluating(model), torch.inference_mode(), tap(model, ["classifier:input"]) as taps:
            model(images)
            return np.asarray(taps.take()["classifier:input"].numpy())

    half = np.arange(500, 1000)
    z = encode(torch.stack([data.inputs[row] for row in range(1000)]))
    found = read(z, data.column("colour", "private").codes, encode=encode, inputs=data.take(half).inputs, samples=128)
    shown = np.array(found.input_map)
    assert shown.shape == (4, 4)
    assert found.width == 64
    sides = shown[:, [0, 3]]  # where no digit is drawn
    assert sides.mean() > 2 * shown[1:3, 1:3].mean()
    assert sides.min() > 0
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_the_seed_decides_everything() -> None:
    z, v = planted(3)
    torch.manual_seed(1)
    first = read(z, v)
    torch.manual_seed(2)
    np.random.seed(2)
    assert read(z, v) == first
    assert read(z, v, seed=1) != first


def test_the_features_that_were_given_stay_as_they_were() -> None:
    z, v = planted(3)
    kept = z.copy()
    read(z, v)
    np.testing.assert_array_equal(z, kept)


def test_a_rare_class_keeps_its_share_of_the_rows() -> None:
    z, _ = planted(3)
    v = np.zeros(len(z), dtype=np.int64)
    v[:80] = 1
    seen: list[int] = []

    def attack(rows: Floats) -> Any:
        seen.append(int((rows[: min(len(rows), 100), 0] == 1).sum()))
        return np.full((len(rows), 2), -1.0)

    z[:, 0] = v  # written on the rows, so that the attacker can count
    asked(attack, z, v, samples=100, units=WIDTH)
    assert seen[0] == 10


@pytest.mark.parametrize(("rows", "samples"), [(49, 256), (400, 49)])
def test_fewer_than_fifty_rows_are_refused_in_one_line(rows: int, samples: int) -> None:
    z, v = planted(3)
    with pytest.raises(DataError, match="logistic is read would be a mean over 49 test rows") as caught:
        asked(fitted(z, v), z[:rows], v[:rows], attacker="logistic", samples=samples)
    assert "\n" not in str(caught.value)


def test_fifty_rows_are_enough() -> None:
    z, v = planted(3)
    found = asked(fitted(z, v), z[:50], v[:50], attacker="logistic")
    assert (found.samples, found.units[0].index) == (50, 3)


@pytest.mark.parametrize("shape", [(WIDTH,), (8, 4), (8, 2, 2), (1, 1, WIDTH)])
def test_inputs_that_are_no_images_give_units_and_a_note_but_no_map(shape: tuple[int, ...]) -> None:
    z, v = planted(3)
    found = read(z, v, encode=through(nn.Flatten()), inputs=torch.from_numpy(z[N:]).reshape(N, *shape))
    assert (found.input_map, found.patch) == (None, None)
    assert found.note == "the inputs are no images"
    assert found.units[0].index == 3


def test_embeddings_alone_give_units_and_a_note_but_no_map() -> None:
    found = read(*planted(3))
    assert (found.input_map, found.patch) == (None, None)
    assert found.note == "there is no input, only embeddings"


class Damaged:
    """Images of which some cannot be read."""

    def __init__(self, images: Tensor, whole: int) -> None:
        self._images, self._whole = images, whole

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, row: int, /) -> Tensor:
        if row >= self._whole:
            raise UnreadableError(f"Cannot read {row}.png. Mend it.")
        return self._images[row]


def test_rows_that_cannot_be_read_are_left_out_and_not_counted() -> None:
    images, v = cornered()
    encode = through(pooling(2))
    z = encode(images)
    found = read(z, v, encode=encode, inputs=Damaged(images[N:], 150), patches=4, samples=N)
    assert found.samples == 150
    assert np.array(found.input_map).argmax() == 0
    few = read(z, v, encode=encode, inputs=Damaged(images[N:], 49), patches=4, samples=N)
    assert (few.samples, few.input_map) == (N, None)
    assert few.note == f"only 49 of {N} images could be read"


def test_images_are_encoded_in_small_batches() -> None:
    images, v = cornered()
    plain = through(pooling(2))
    sizes: list[int] = []

    def encode(some: Tensor) -> Floats:
        sizes.append(len(some))
        return plain(some)

    read(plain(images), v, encode=encode, inputs=images[N:], patches=4, samples=256)
    assert max(sizes) <= 64
    assert sum(sizes) == 256 * (4 * 4 + 1)
