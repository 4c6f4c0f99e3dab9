"""One pass of a frozen model over all rows: representations, predictions and a fingerprint.

What does not fit in memory stays on the disk: representations and reduced inputs go to memory-mapped temporary
files, so that memory does not grow with the number of rows.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.data.columns import Answers
from audit.data.labelled import LabelledData
from audit.data.loading import batches
from audit.data.model_input import ModelInput, digests, rows_of, split, to
from audit.data.on_disk import AT_ONCE, Floats, blocks
from audit.model.features.gathered import Features, Gathered, alike
from audit.model.features.projection import Projections
from audit.model.forward import Encoder, device_of, run_model, sample_rows
from audit.model.layers import Taps, lay_out, tap
from audit.model.structure.eval_mode import evaluating
from audit.model.structure.layout import Pooling
from audit.model.structure.listing import Seen
from audit.model.structure.scores import Answer, place_of_scores, require_rows
from audit.model.trial_runs import require_alike, require_mask, require_own_answer, require_same_rows
from audit.progress import Track, untracked

TURNED = 4
"""Batches that are run with their rows the other way round, too."""


def extract(
    encoder: Encoder,
    data: LabelledData,
    layers: Sequence[str],
    *,
    task: str | None = None,
    columns: Sequence[str] = (),
    raw: bool = False,
    seed: int = 0,
    track: Track = untracked,
) -> Features:
    """Run the model once over all rows in eval mode, on the device it is on, and keep what the layers give.

    Args:
        data: Its rows; one whose input cannot be read is left out.
        task: Column whose classes the model scores, or whose numbers it predicts; None: its output is not looked at.
        columns: Labels that count for the fingerprint.
        raw: Whether to keep the inputs too, reduced.
        seed: Of the random projections.

    Before, a few rows are run: to see which axis of a layer's values is what, and that a row's answer is its own. So
    are a few batches on the way with their rows turned round, for a model that sorts them is right on the few alone.

    Raises BottleneckError if a layer cannot be tapped or gives NaN, a row's answer depends on its neighbours or on
    chance, or the model trains while it is audited; DataError if no row can be read, inputs have unlike shapes, the
    scores are not the task's, or something must be asked: padding, or what the scores are.
    """
    model, asked = encoder.model, encoder.padding
    few = to(sample_rows(data), device_of(model))
    answer = Answer.of(data, task, encoder.scores) if task else None
    encoder, pooling, seen = _laid_out(encoder, few, layers, answer)
    _require_scores(seen, answer)
    gathered = Gathered(layers, _room(encoder, data), Projections(seed), answer, seen)
    with evaluating(model), torch.inference_mode(), _seeded(encoder, seed), tap(model, layers, pooling) as taps:
        random = require_own_answer(encoder, few, taps, passes=encoder.passes, output=task is not None)
        _go_over(encoder, data, taps, gathered, pooling, keep=raw, random=random, track=track)
    if encoder.ranks:
        gathered = Gathered.joined(encoder.ranks.gathered(gathered))
    gathered.require_finite(data)
    if asked is None and pooling.padding is None and not pooling.masked and pooling.notes:
        gathered.ends.require_text()
    told = [*pooling.notes, *gathered.settle_scores(seen, encoder.output, encoder.scores)]
    if random:
        told.append(f"what the model gives depends on chance; every figure is of the mean over {encoder.passes} passes")
    passes = encoder.passes if random else 1
    return replace(gathered.features(data, columns, told), pooling=pooling, passes=passes)


def _go_over(
    encoder: Encoder,
    data: LabelledData,
    taps: Taps,
    gathered: Gathered,
    pooling: Pooling,
    *,
    keep: bool,
    random: bool,
    track: Track,
) -> None:
    """Run a tapped model over this process's batches, but those that are saved, and put what it gives into `gathered`.

    Args:
        keep: Whether the inputs are kept, too.
        random: Whether what the model gives depends on chance: then nothing is saved.
    """
    untold = pooling.masked and bool(pooling.notes) and not random
    turned = [] if random else _turned(encoder, data)
    with nullcontext() if random or encoder.saved is None else encoder.saved as saved:
        for place, read, x in _batches(encoder, data, track, together=random):
            own = digests(x)
            gathered.add_inputs(read, x, own, keep=keep, text=pooling.text_in(x))
            given = saved.find(place, read, own) if saved and place not in turned else None
            if given is None:
                made = run_model(encoder, x, taps, encoder.passes if random else 1)
                given = gathered.given(made.z, made.output, changed_inputs=made.changed_inputs)
                if saved:
                    saved.require_same(place, read, own, given)
                    saved.keep(place, read, own, given)
                if place in turned:
                    require_same_rows(encoder, x, made, taps, output=gathered.asks)
            untold = untold and not require_mask(encoder, x, taps)
            gathered.add(given)


def ready_made(
    layers: Mapping[str, NDArray[np.floating]], data: LabelledData, *, predicted: Answers | None, columns: Sequence[str]
) -> Features:
    """Return representations that came from a file, with their predictions, as if a model had made them."""
    first = next(iter(layers.values()))
    each = (hashlib.sha256(row.tobytes()).digest() for rows in blocks(first, AT_ONCE) for row in rows)
    return Features(
        z=layers,
        predicted=predicted,
        rows=np.arange(len(data), dtype=np.int64),
        copies=alike(each, len(first)),
        same_input=False,
        fingerprint=data.fingerprint(columns),  # labels alone: z before and after is of the same rows
        key=data.resampling_key(columns),
    )


@contextmanager
def encoding(
    encoder: Encoder, layer: str, features: Features | None = None
) -> Iterator[Callable[[ModelInput], Floats]]:
    """Yield a function from inputs (b, …) to one layer's representations, (b, d), made exactly as these features."""
    projection = features.projections.get(layer) if features else None
    known = Projections(by_layer={} if projection is None else {layer: projection})
    pooling, passes = (features.pooling, features.passes) if features else (Pooling(encoder.pool), encoder.passes)
    model = encoder.model
    with evaluating(model), torch.inference_mode(), tap(model, [layer], pooling) as taps:

        def encode(x: ModelInput) -> Floats:
            return np.concatenate(
                [
                    known.narrow(layer, run_model(encoder, block, taps, passes).z[layer])
                    for block in split(x, encoder.fixed_batch or rows_of(x))
                ]
            )

        yield encode


def _laid_out(
    encoder: Encoder, few: ModelInput, layers: Sequence[str], answer: Answer | None
) -> tuple[Encoder, Pooling, Seen]:
    """Find out what is what in the layers' values, and where in the model's output the task's scores are."""
    size, output = encoder.fixed_batch, encoder.output
    pooling, seen = lay_out(encoder.model, few, layers, encoder.pool, fixed_batch=size, output=output)
    if answer is not None and not isinstance(seen.output, Tensor):
        output = place_of_scores(seen.output, answer, output)
        pooling, seen = lay_out(encoder.model, few, layers, encoder.pool, fixed_batch=size, output=output)
    pooling = pooling.told(encoder.padding, few)
    pooling.require_told(encoder.padding)
    pooling = require_alike(encoder.model, few, pooling, output=output, fixed_batch=size)
    return replace(encoder, output=output), pooling, seen


def _batches(
    encoder: Encoder, data: LabelledData, track: Track, *, together: bool
) -> Iterator[tuple[int, list[int], ModelInput]]:
    """Yield this process's batches: the place among all, the rows that could be read, and their inputs.

    Args:
        together: The first process runs all, since what is drawn by chance depends on what was drawn before.
    """
    size = encoder.fixed_batch or encoder.batch_size
    count, ranks = math.ceil(len(data) / size), encoder.ranks
    share = range(count)
    if ranks:
        share = ranks.share(count) if not together else range(0 if ranks.rank else count)
    rows = None if len(share) == count else range(share.start * size, min(share.stop * size, len(data)))
    loader = batches(data.inputs, batch_size=size, workers=encoder.workers, rows=rows)
    for place, (read, x) in zip(share, track(loader, len(loader), "one forward pass"), strict=True):
        if read:
            yield place, read, x


def _room(encoder: Encoder, data: LabelledData) -> int:
    """Return how many rows this process may gather at most: all in the first, its share in any other."""
    if encoder.ranks is None or encoder.ranks.rank == 0:
        return len(data)
    size = encoder.fixed_batch or encoder.batch_size
    return size * len(encoder.ranks.share(math.ceil(len(data) / size)))


def _turned(encoder: Encoder, data: LabelledData) -> list[int]:
    """Return the places of the batches that are run with their rows the other way round, too."""
    count = math.ceil(len(data) / (encoder.fixed_batch or encoder.batch_size))
    places: list[int] = np.linspace(0, count - 1, TURNED).astype(int).tolist()
    return places


def _require_scores(seen: Seen, answer: Answer | None) -> None:
    if answer is not None:
        require_rows(seen.output, seen.rows)
        answer.read(seen.output)


@contextmanager
def _seeded(encoder: Encoder, seed: int) -> Iterator[None]:
    """Draw what a model draws by chance from a seed for a block, if its answer is to be averaged."""
    if encoder.passes == 1:
        yield
        return
    device = device_of(encoder.model)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
