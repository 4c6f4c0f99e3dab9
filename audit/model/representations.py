"""One pass of the frozen model over the audit's rows: bottleneck features, predictions and a fingerprint.

What does not fit in memory stays on the disk: features and reduced inputs go to memory-mapped temporary
files, so that memory does not grow with the number of rows.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.random_projection import SparseRandomProjection
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from torch.utils.data import DataLoader, Dataset

from audit.data.columns import Ints
from audit.data.labelled import Inputs, LabelledData
from audit.data.on_disk import AT_ONCE, Store, blocks
from audit.errors import BottleneckError, DataError, UnreadableError
from audit.model.layers import Pool, Taps, evaluating, require_evaluating, tap

Floats = NDArray[np.float32]
Track = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Wraps an iterable of known length, to show progress; the last argument says what goes by."""

WIDEST = 2048
"""Features wider than this are projected at random, or attackers would take hours."""
PROJECTED = 1024
"""Width of the projection: distances survive it to within a few percent (Johnson and Lindenstrauss)."""
RAW_SIDE = 12
"""Images are averaged to at most this many pixels a side for the attackers on the raw input."""


def untracked(items: Iterable[Any], _length: int, _label: str) -> Iterable[Any]:
    """Show no progress."""
    return items


@dataclass(frozen=True)
class Features:
    """What the model made of the m rows of n that could be read."""

    z: Mapping[str, NDArray[Any]]
    """Features per layer, (m, d)."""
    predicted: Ints | None
    """ŷ, the class with the highest score, (m,); None where no task was named."""
    rows: Ints
    """Which rows of the data they are, (m,)."""
    copies: Ints
    """A number for each row, (m,), the same for rows with the very same input, or features if they are all there is."""
    fingerprint: str
    """SHA-256 over inputs (if there are any), labels and groups, in order."""
    projections: Mapping[str, SparseRandomProjection] = field(default_factory=dict)
    """Of the layers that were too wide."""
    raw: Floats | None = None
    """The inputs, reduced to (m, r)."""
    raw_source: str = ""
    """What `raw` is, in words."""
    notes: tuple[str, ...] = ()
    """What was noticed on the way."""
    same_input: bool = True
    """Whether `copies` are of inputs; equal features may be of many inputs, as those of a finite code are."""


def extract(
    model: nn.Module,
    data: LabelledData,
    layers: Sequence[str],
    *,
    task: str | None = None,
    columns: Sequence[str] = (),
    pool: Pool = "mean",
    batch_size: int = 128,
    fixed_batch: int | None = None,
    workers: int = 0,
    raw: bool = False,
    seed: int = 0,
    track: Track = untracked,
) -> Features:
    """Run the model once over all rows in eval mode, on the device it is on, and keep what the layers give.

    Args:
        model: Left as found.
        data: Its rows; one whose input cannot be read is left out.
        layers: Names, as audit.model.layers reads them.
        task: Column whose classes the model scores; None: its output is not looked at.
        columns: Labels that count for the fingerprint.
        pool: How maps and tokens become one vector a row.
        batch_size: Rows in one forward pass.
        fixed_batch: Rows that the model takes, if it takes no other number.
        workers: Processes that read inputs, beside this one.
        raw: Whether to keep the inputs too, reduced.
        seed: Of the random projections.
        track: Shows progress.

    Raises:
        BottleneckError: A layer cannot be tapped or gives NaN, or the model trains while it is audited.
        DataError: No row can be read, inputs have unlike shapes, or the scores are not the task's.
    """
    classes = len(data.column(task, "task").classes) if task else 0
    stores = {name: Store(len(data)) for name in layers}
    inputs = Store(len(data))
    projections: dict[str, SparseRandomProjection] = {}
    rows: list[int] = []
    digests: list[bytes] = []
    predicted: list[Ints] = []
    broken = dict.fromkeys(layers, 0)
    undefined, changed, source = 0, False, ""
    size = fixed_batch or batch_size
    loader = DataLoader(_Readable(data.inputs), batch_size=size, num_workers=workers, collate_fn=_together)
    with evaluating(model), torch.inference_mode(), tap(model, layers, pool=pool) as taps:
        for read, x in track(loader, len(loader), "one forward pass"):
            if not read:
                continue
            rows += read
            digests += [hashlib.sha256(one.numpy().tobytes()).digest() for one in x]
            if raw:
                inputs.add(_reduced(x, projections, seed))
                source = _raw_source(x)
            output, z, same = _forward(model, x, taps, fixed_batch)
            changed |= not same
            if task:
                scores = class_scores(output, classes, task)
                undefined += int((~torch.isfinite(scores)).any(dim=1).sum())
                predicted.append(scores.argmax(dim=1).cpu().numpy())
            for name, found in z.items():
                kept = _narrow(name, found, projections, seed)
                broken[name] += int((~np.isfinite(kept)).any(axis=1).sum())
                stores[name].add(kept)
    if not rows:
        raise DataError(f"None of the {len(data)} inputs of {data.name} can be read. Check the files.")
    for name, count in broken.items():
        if count:
            raise BottleneckError(
                f"Layer {name!r} gives NaN or infinity for {count} of {len(rows)} rows. "
                "Check the inputs' scale, or choose another layer."
            )
    if undefined:
        raise DataError(
            f"The model scores {task!r} with NaN or infinity for {undefined} of {len(data)} rows. "
            "Check the inputs' scale, or the weights behind the bottleneck."
        )
    taken = np.array(rows, dtype=np.int64)
    return Features(
        z={name: store.take() for name, store in stores.items()},
        predicted=np.concatenate(predicted) if task else None,
        rows=taken,
        copies=_alike(digests),
        fingerprint=_fingerprint(data.take(taken), columns, digests),
        projections={name: made for name, made in projections.items() if name in stores},
        raw=inputs.take() if raw else None,
        raw_source=source,
        notes=("the model changes its inputs in place; it was given copies",) if changed else (),
    )


def ready_made(
    layers: Mapping[str, NDArray[Any]], data: LabelledData, *, predicted: Ints | None, columns: Sequence[str]
) -> Features:
    """Return features that came from a file, and the predictions that came with them, as if a model had made them."""
    first = next(iter(layers.values()))
    digests = [hashlib.sha256(row.tobytes()).digest() for rows in blocks(first, AT_ONCE) for row in rows]
    return Features(
        z=layers,
        predicted=predicted,
        rows=np.arange(len(data), dtype=np.int64),
        copies=_alike(digests),
        same_input=False,
        fingerprint=_fingerprint(data, columns, []),  # labels alone: features before and after are of the same rows
    )


@contextmanager
def encoding(
    model: nn.Module, layer: str, *, pool: Pool, projection: SparseRandomProjection | None, fixed_batch: int | None
) -> Iterator[Callable[[Tensor], Floats]]:
    """Yield what makes the features of one layer, (b, d), from inputs (b, …), exactly as `extract` does."""
    known = {} if projection is None else {layer: projection}
    with evaluating(model), torch.inference_mode(), tap(model, [layer], pool=pool) as taps:

        def encode(x: Tensor) -> Floats:
            parts = []
            for block in torch.split(x, fixed_batch or len(x)):
                _, z, _ = _forward(model, block, taps, fixed_batch)
                parts.append(_narrow(layer, z[layer], known, seed=0))
            return np.concatenate(parts)

        yield encode


def first_input(model: nn.Module, data: LabelledData, *, rows: int = 1) -> Tensor:
    """Return the first readable input, `rows` times, (rows, …), on the model's device, once the model has taken it.

    Raises:
        DataError: The model cannot take it, or there is none.
    """
    x = _first(data).unsqueeze(0).repeat_interleave(rows, dim=0).to(device_of(model))
    try:
        with evaluating(model), torch.inference_mode():
            model(x.clone())
    except (RuntimeError, ValueError, AssertionError) as error:
        fact = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"The model cannot take the inputs of {data.name}, of shape {list(x.shape[1:])} ({fact}). "
            "Give the data and the image size that it was trained on."
        ) from None
    return x


def class_scores(output: Any, classes: int, task: str) -> Tensor:
    """Return what the model answers as one score a class, (n, classes); a single logit counts for class 1.

    Raises:
        DataError: The output is no tensor, or has another number of classes than the task's column.
    """
    if not isinstance(output, Tensor):
        raise DataError(
            f"The model returns a {type(output).__name__}, not a tensor of class scores. "
            "Wrap it in a factory that does, or leave the task out."
        )
    scores = output.unsqueeze(1) if output.ndim == 1 else output
    if scores.ndim == 2 and scores.shape[1] == 1 and classes == 2:
        return torch.cat([torch.zeros_like(scores), scores], dim=1)
    if scores.ndim != 2 or scores.shape[1] != classes:
        raise DataError(
            f"The model's output has shape {list(output.shape)} and task {task!r} has {classes} classes. "
            "Name the task that the model was trained for, or none."
        )
    return scores


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the model's parameters; the CPU for a model without any."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


class _Readable(Dataset[tuple[int, Tensor | None]]):
    """Inputs with their positions; None for one that cannot be read."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, row: int) -> tuple[int, Tensor | None]:
        try:
            return row, self._inputs[row]
        except UnreadableError:
            return row, None


def _together(read: Sequence[tuple[int, Tensor | None]]) -> tuple[list[int], Tensor]:
    found = [(row, x) for row, x in read if x is not None]
    shapes = {tuple(x.shape) for _, x in found}
    if len(shapes) > 1:
        raise DataError(f"Inputs have unlike shapes: {' and '.join(str(list(s)) for s in sorted(shapes)[:2])}. Resize.")
    return [row for row, _ in found], torch.stack([x for _, x in found]) if found else torch.empty(0)


def _forward(model: nn.Module, x: Tensor, taps: Taps, fixed_batch: int | None) -> tuple[Any, dict[str, Tensor], bool]:
    """Return the output, the tapped features, and whether the model left its input as it was."""
    b = len(x)
    padded = torch.cat([x, x[-1:].expand(fixed_batch - b, *x.shape[1:])]) if fixed_batch and b < fixed_batch else x
    given = padded.to(device_of(model), copy=True)
    output = model(given)
    require_evaluating(model)
    same = torch.equal(given.view(torch.uint8), padded.to(given.device).view(torch.uint8))  # NaN is not equal to NaN
    z = {name: found[:b] for name, found in taps.take().items()}
    return output[:b] if isinstance(output, Tensor) else output, z, same


def _narrow(name: str, z: Tensor, projections: dict[str, SparseRandomProjection], seed: int) -> Floats:
    found: Floats = z.float().cpu().numpy()
    if found.shape[1] <= WIDEST:
        return found
    if name not in projections:
        projections[name] = SparseRandomProjection(PROJECTED, random_state=seed).fit(found[:1])
    return np.asarray(projections[name].transform(found), dtype=np.float32)


def _reduced(x: Tensor, projections: dict[str, SparseRandomProjection], seed: int) -> Floats:
    """Make inputs (b, …) narrow enough to attack: small images by averaging, all else as it is or projected."""
    if x.ndim == 4:
        x = adaptive_avg_pool2d(x.float(), (min(RAW_SIDE, x.shape[2]), min(RAW_SIDE, x.shape[3])))
    return _narrow("", x.flatten(1), projections, seed)


def _raw_source(x: Tensor) -> str:
    shape = [*x.shape[1:]]
    if x.ndim == 4:
        small = [shape[0], min(RAW_SIDE, shape[1]), min(RAW_SIDE, shape[2])]
        told, shape = (
            (f"the input, averaged to {' × '.join(map(str, small))}" if small != shape else "the input"),
            small,
        )
    else:
        told = "the input"
    return told if int(np.prod(shape)) <= WIDEST else f"{told}, projected to {PROJECTED} numbers"


def _first(data: LabelledData) -> Tensor:
    for row in range(len(data)):
        try:
            return data.inputs[row]
        except UnreadableError:
            continue
    raise DataError(f"None of the {len(data)} inputs of {data.name} can be read. Check the files.")


def _alike(digests: Sequence[bytes]) -> Ints:
    return np.unique(np.array(digests, dtype="S32"), return_inverse=True)[1].astype(np.int64)


def _fingerprint(data: LabelledData, columns: Sequence[str], digests: Sequence[bytes]) -> str:
    return hashlib.sha256(data.labels_sha256(columns).encode() + b"".join(digests)).hexdigest()
