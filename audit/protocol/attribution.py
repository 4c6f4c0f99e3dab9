"""Attribution of an attacker: which units of the bottleneck, and which part of the input, its answers rest on.

Both are measured in usable bits lost: how much log2 p(true class) falls, as a mean over many rows, when a unit
is shuffled among the rows or a patch of the input is hidden. The attacker is asked and never
differentiated, so that any will do. No image, and no figure of a single row, is kept.

Sources: permutation importance (Breiman 2001) and occlusion (Zeiler and Fergus 2014), both by captum.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.data.columns import Ints
from audit.data.labelled import Inputs
from audit.data.model_input import ModelInput
from audit.data.on_disk import Floats
from audit.errors import DataError, UnreadableError
from audit.evidence import findings
from audit.progress import Track, untracked

Attack = Callable[[Floats], NDArray[np.float64]]
"""Features (m, d) -> log2 probability of each class, (m, k), finite."""
Encode = Callable[[ModelInput], Floats]
"""Inputs, for the map (b, c, h, w) -> pooled features, (b, d)."""

FEWEST_ROWS = 50
"""A mean over fewer rows than this could show one person."""
BATCH = 64
"""Images that are in memory and in the encoder at once."""
SMALLEST_PATCH = 2
"""Pixels; in a small image the map has fewer patches rather than smaller ones."""
MOST_CHANNELS = 4
UNITS_AT_ONCE = 64
ROWS_AT_ONCE = 4096
"""Rows in one call of the attacker: many shuffled copies, since small calls are slow."""
ROUGH_ROWS = 32
"""Rows of the rough look at all units: enough to rank units by effect, too few to estimate the effect."""
FINALISTS = 3
"""The close look takes this many times the units that are listed."""
SHUFFLES = 3
"""How often the close look shuffles each unit."""


@dataclass(frozen=True)
class Attacked:
    """An attacker, and the test rows that it is asked about."""

    attacker: str
    """Its name, `name on view`, for the record."""
    attack: Attack
    """Its log2 probabilities, (m, k), of features (m, d)."""
    z: Floats
    """Pooled features of the test rows, (n, d)."""
    v: Ints
    """Their classes, (n,), columns of what `attack` returns."""
    encode: Encode | None = None
    """Makes pooled features (b, d) of inputs (b, c, h, w) on the CPU; None draws no map."""
    inputs: Inputs | None = None
    """The test rows' inputs, in the order of `z`; None draws no map."""


@dataclass(frozen=True)
class Sizes:
    """How closely to look."""

    samples: int = 128
    """At most this many rows, of each class its share; those that cannot be read are left out."""
    units: int = 20
    """How many units to list."""
    patches: int = 8
    """The map has this many rows and columns of patches; it costs `samples · (patches² + 1)` encodings."""


def where(attacked: Attacked, *, seed: int, sizes: Sizes | None = None, track: Track = untracked) -> findings.Where:
    """Tell which units of the bottleneck an attacker uses, and from which part of the input they come.

    Units that say the same hide each other: with one shuffled, the attacker still learns it from the other. So the
    bits of the units do not add up to the leak, and a unit worth nothing here may leak all the same.

    Raises DataError if there are fewer than 50 rows, or fewer are asked for.
    """
    sizes, attack, v = sizes or Sizes(), attacked.attack, attacked.v
    require_samples(min(len(attacked.z), sizes.samples), attacked.attacker)
    generator = np.random.default_rng(seed)
    rows = _spread(v, sizes.samples, generator)
    bits, patch, note = None, None, "there is no input, only embeddings"
    if attacked.encode is not None and attacked.inputs is not None:
        view = _view(attacked.inputs, rows)
        note = view if isinstance(view, str) else ""
        if isinstance(view, _View):
            rows = view.rows
            patch = [max(SMALLEST_PATCH, -(-side // sizes.patches)) for side in view.mean.shape[1:]]
            bits = _map(attack, attacked.encode, attacked.inputs, v, view, patch, track).tolist()
    return findings.Where(
        samples=len(rows),
        attacker=attacked.attacker,
        units=_worst_units(attack, attacked.z[rows], v[rows], sizes.units, generator, track),
        width=attacked.z.shape[1],
        input_map=bits,
        patch=patch,
        note=note,
    )


def require_samples(count: int, name: str) -> None:
    """Raise a DataError if a mean over so many test rows could show one person."""
    if count < FEWEST_ROWS:
        raise DataError(
            f"Where {name} is read would be a mean over {count} test rows, few enough to show one person. "
            f"Give at least {FEWEST_ROWS}, or leave it out."
        )


@dataclass(frozen=True)
class _View:
    """The images that the map is drawn from."""

    rows: Ints
    """Those that can be read, (m,)."""
    mean: Tensor
    """The mean image, (c, h, w): a hidden patch looks like it, since black or zero would be a colour too."""


def _spread(v: Ints, most: int, generator: np.random.Generator) -> Ints:
    """Draw at most so many rows, of each class its share, in ascending order."""
    shuffled = generator.permutation(len(v))
    by_class = shuffled[np.argsort(v[shuffled], kind="stable")]
    count = min(most, len(v))
    return np.sort(by_class[np.arange(count) * len(v) // count])


def _view(inputs: Inputs, rows: Ints) -> _View | str:
    """Read every image once, or say why there can be no map."""
    readable: list[int] = []
    total = torch.zeros(())
    kind = torch.float32
    for row in rows.tolist():
        try:
            image = inputs[row]
        except UnreadableError:
            continue
        is_map = isinstance(image, Tensor) and image.ndim == 3
        if not is_map or image.shape[0] > MOST_CHANNELS or min(image.shape[1:]) < SMALLEST_PATCH:
            return "the inputs are no images"
        readable.append(row)
        total = total + image.double()
        kind = image.dtype
    if len(readable) < FEWEST_ROWS:
        return f"only {len(readable)} of {len(rows)} images could be read"
    return _View(np.array(readable, dtype=np.int64), (total / len(readable)).to(kind))


def _worst_units(
    attack: Attack, z: Floats, v: Ints, count: int, generator: np.random.Generator, track: Track
) -> list[findings.Unit]:
    """Return the units worth most.

    A rough look at all of them chooses, by how much the answers change at all, which is seen in few rows;
    then a close look, with new shuffles, measures whether that costs the attacker anything.
    """
    finalists = np.arange(z.shape[1])
    if len(finalists) > FINALISTS * count:
        few = _spread(v, ROUGH_ROWS, generator)
        rough = _shuffled(attack, z[few], v[few], finalists, generator, track)
        finalists = np.sort(np.argsort(-np.abs(rough).mean(axis=0), kind="stable")[: FINALISTS * count])
    looks = [_shuffled(attack, z, v, finalists, generator, track) for _ in range(SHUFFLES)]
    bits = np.mean(looks, axis=(0, 1))
    return [
        findings.Unit(index=int(finalists[place]), bits=float(bits[place]))
        for place in np.argsort(-bits, kind="stable")[:count]
    ]


def _shuffled(
    attack: Attack, z: Floats, v: Ints, units: Ints, generator: np.random.Generator, track: Track
) -> NDArray[np.float64]:
    """Return the bits lost in each row as each of the units is shuffled alone, (n, len(units))."""
    from captum.attr import FeaturePermutation  # noqa: PLC0415 - brings matplotlib, which most audits do without

    blocks = np.array_split(units, -(-len(units) // UNITS_AT_ONCE))  # captum's memory grows with the square of a block

    def permute(values: Tensor, chosen: Tensor) -> Tensor:
        return torch.where(chosen, values[torch.from_numpy(generator.permutation(len(values)))], values)

    def lost(block: Ints) -> NDArray[np.float64]:
        def true_bits(values: Tensor) -> Tensor:
            copies = len(values) // len(z)
            seen = np.tile(z, (copies, 1))
            seen[:, block] = values.numpy()
            return torch.from_numpy(_of_truth(attack(seen), np.tile(v, copies)))

        drops: Tensor = FeaturePermutation(true_bits, permute).attribute(
            torch.from_numpy(z[:, block]), perturbations_per_eval=max(1, ROWS_AT_ONCE // len(z))
        )
        return np.asarray(drops.numpy())

    return np.concatenate([lost(block) for block in track(blocks, len(blocks), "which units are read")], axis=1)


def _map(
    attack: Attack, encode: Encode, inputs: Inputs, v: Ints, view: _View, patch: list[int], track: Track
) -> NDArray[np.float64]:
    """Return the bits lost as each patch is hidden, by row and column of patches."""
    from captum.attr import Occlusion  # noqa: PLC0415

    window = (view.mean.shape[0], *patch)

    def lost(rows: Ints) -> NDArray[np.float64]:
        def true_bits(images: Tensor) -> Tensor:  # one figure for the batch: captum then keeps one map and not b
            return torch.tensor(_of_truth(attack(encode(images)), v[rows]).sum())

        drops: Tensor = Occlusion(true_bits).attribute(
            torch.stack([one for one in (inputs[row] for row in rows.tolist()) if isinstance(one, Tensor)]),
            sliding_window_shapes=window,
            strides=window,
            baselines=view.mean[None],
        )  # (1, c, h, w), the same all over a patch
        return np.asarray(drops[0, 0, :: patch[0], :: patch[1]].numpy(), dtype=np.float64)

    batches = np.array_split(view.rows, -(-len(view.rows) // BATCH))
    parts = [lost(rows) for rows in track(batches, len(batches), "where in the input")]
    return np.asarray(np.sum(parts, axis=0) / len(view.rows))


def _of_truth(log2_probability: NDArray[np.float64], v: Ints) -> NDArray[np.float64]:
    return log2_probability[np.arange(len(v)), v]
