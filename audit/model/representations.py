"""One pass of a frozen model over all rows: representations, predictions and a fingerprint.

What does not fit in memory stays on the disk: representations and reduced inputs go to memory-mapped temporary
files, so that memory does not grow with the number of rows.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.random_projection import SparseRandomProjection
from torch import Tensor

from audit.data.columns import Answers, Ints
from audit.data.labelled import LabelledData
from audit.data.loading import batches, none_readable
from audit.data.model_input import ModelInput, digests, rows_of, split, to
from audit.data.on_disk import AT_ONCE, Floats, Store, blocks
from audit.errors import BottleneckError, DataError
from audit.model.forward import Encoder, device_of, run_model, sample_rows
from audit.model.layers import lay_out, tap
from audit.model.projection import PROJECTED, Projections, describe_inputs
from audit.model.structure.eval_mode import evaluating
from audit.model.structure.layout import Pooling
from audit.model.structure.listing import Seen
from audit.model.structure.padding import Ends
from audit.model.structure.scores import Answer, class_scores, is_single, kind_of_scores, place_of_scores, require_rows
from audit.model.structure.thresholds import Thresholds
from audit.model.trial_runs import require_alike, require_mask, require_own_answer, require_same_rows
from audit.progress import Track, untracked

TURNED = 4
"""Batches that are run with their rows the other way round, too."""


@dataclass(frozen=True)
class Features:
    """Representations of the m rows of n that could be read, with predictions and fingerprint."""

    z: Mapping[str, NDArray[np.floating]]
    """Representations by layer, (m, d)."""
    predicted: Answers | None
    """ŷ, the class with the highest score, or the number that a quantity was predicted to be, (m,); None where no task
    was named."""
    rows: Ints
    """Positions of these rows in the data, (m,)."""
    copies: Ints
    """A number for each row, (m,), the same for rows with the very same input, or z if that is all there is."""
    fingerprint: str
    """SHA-256 over inputs (if there are any), labels and groups, in order."""
    key: bytes
    """What resamples of these rows are drawn from; it never leaves (LabelledData.resampling_key)."""
    projections: Mapping[str, SparseRandomProjection] = field(default_factory=dict)
    """The random projection of each layer that was too wide."""
    raw: Floats | None = None
    """The inputs, reduced to (m, r)."""
    raw_source: str = ""
    """A description of `raw`, for instance "the input, averaged to 3 × 12 × 12"."""
    notes: tuple[str, ...] = ()
    """Remarks on the pass for the reader of the evidence."""
    single_output: bool = False
    """Whether the model gives one number a row, which counts for the second of the task's two classes."""
    pooling: Pooling = field(default_factory=Pooling)
    """How the values at the layers became vectors."""
    passes: int = 1
    """Passes whose mean was taken."""
    same_input: bool = True
    """Whether `copies` are of inputs; equal z may be of many inputs, as that of a finite code is."""


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
    gathered = _Gathered(layers, _room(encoder, data), Projections(seed), answer, seen)
    with evaluating(model), torch.inference_mode(), _seeded(encoder, seed), tap(model, layers, pooling) as taps:
        random = require_own_answer(encoder, few, taps, passes=encoder.passes, output=task is not None)
        passes = encoder.passes if random else 1
        untold = pooling.masked and bool(pooling.notes)
        for place, read, x in _batches(encoder, data, track, together=random):
            gathered.add_inputs(read, x, keep=raw, text=pooling.text_in(x))
            made = run_model(encoder, x, taps, passes)
            gathered.add_layers(made.z)
            gathered.changed_inputs |= made.changed_inputs
            if untold and not random:
                untold = not require_mask(encoder, x, taps)
            if not random and place in _turned(encoder, data):
                require_same_rows(encoder, x, made, taps, output=task is not None)
            if answer:
                gathered.add_scores(made.output, answer)
    if encoder.ranks:
        gathered = _Gathered.joined(encoder.ranks.gathered(gathered))
    gathered.require_finite(data)
    if asked is None and pooling.padding is None and not pooling.masked and pooling.notes:
        gathered.ends.require_text()
    told = [*pooling.notes, *gathered.settle_scores(seen, encoder)]
    if random:
        told.append(f"what the model gives depends on chance; every figure is of the mean over {passes} passes")
    return replace(gathered.features(data, columns, told), pooling=pooling, passes=passes)


def ready_made(
    layers: Mapping[str, NDArray[np.floating]], data: LabelledData, *, predicted: Answers | None, columns: Sequence[str]
) -> Features:
    """Return representations that came from a file, with their predictions, as if a model had made them."""
    first = next(iter(layers.values()))
    digests = (hashlib.sha256(row.tobytes()).digest() for rows in blocks(first, AT_ONCE) for row in rows)
    return Features(
        z=layers,
        predicted=predicted,
        rows=np.arange(len(data), dtype=np.int64),
        copies=_alike(digests, len(first)),
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


def _alike(digests: Iterable[bytes], count: int) -> Ints:
    """Return a number for each row, (n,), the same for rows of the very same content."""
    return np.unique(np.fromiter(digests, dtype="S32", count=count), return_inverse=True)[1].astype(np.int64)


class _Gathered:
    """The rows that a pass has been over so far."""

    def __init__(
        self, layers: Sequence[str], most: int, projections: Projections, answer: Answer | None, seen: Seen
    ) -> None:
        self.changed_inputs = False
        self._answer, self._thresholds = answer, Thresholds(answer.kind_of_thresholds(seen) if answer else "logits")
        self._projections = projections
        self._layers = {name: Store(most) for name in layers}
        self._inputs = Store(most)
        self._source = ""
        self._rows: list[int] = []
        self._digests: list[bytes] = []
        self._predicted: list[Answers] = []
        self._single: list[Tensor] = []
        self.ends = Ends()
        self._broken = dict.fromkeys(layers, 0)
        self._undefined = 0

    @staticmethod
    def joined(parts: Sequence["_Gathered"]) -> "_Gathered":
        """Return what several processes gathered, in the order of the rows; the first one's files have room for all."""
        whole = parts[0]
        for one in parts[1:]:
            for name, store in one._layers.items():
                _move(store, whole._layers[name])
            _move(one._inputs, whole._inputs)
            whole._source = whole._source or one._source
            whole._rows += one._rows
            whole._digests += one._digests
            whole._predicted += one._predicted
            whole._single += one._single
            whole._undefined += one._undefined
            whole.changed_inputs |= one.changed_inputs
            whole.ends.join(one.ends)
            whole._thresholds.join(one._thresholds)
            whole._projections.by_layer.update(one._projections.by_layer)
            for name, count in one._broken.items():
                whole._broken[name] += count
        return whole

    def add_inputs(self, rows: Sequence[int], x: ModelInput, *, keep: bool, text: Tensor | None) -> None:
        self._rows += rows
        self._digests += digests(x)
        if text is not None:
            self.ends.add(text)
        if keep:
            self._inputs.add(self._projections.narrow_inputs(x))
            self._source = describe_inputs(x)

    def add_layers(self, z: Mapping[str, Tensor]) -> None:
        for name, rows in z.items():
            narrow = self._projections.narrow(name, rows)
            self._broken[name] += int((~np.isfinite(narrow)).any(axis=1).sum())
            self._layers[name].add(narrow)

    def add_scores(self, output: object, answer: Answer) -> None:
        scores = answer.read(output, self._thresholds.kind)
        self._undefined += int((~torch.isfinite(scores)).any(dim=1).sum())
        self._predicted.append(answer.said(scores).cpu().numpy())
        if answer.is_ordinal or scores.shape[1] > 2:
            self._thresholds.add(scores)
        elif answer.classes is not None and is_single(output):
            self._single.append(output.reshape(-1).float().cpu())

    def settle_scores(self, seen: Seen, encoder: Encoder) -> list[str]:
        """Cut single scores where they are to be cut, and return what is to be said of the scores."""
        answer = self._answer
        if answer is None:
            return []
        task, classes, output = answer.task, answer.classes, encoder.output
        if classes is None:
            place = f"what the model returns as {output!r}" if output else "the model's one output"
            return [f"{place} was taken for {task!r} itself, in the unit of the column"]
        where = [f"the scores of {task!r} are what the model returns as {output!r}"] if output else []
        if self._thresholds.rows:
            where += self._thresholds.told(answer)
        if answer.is_ordinal:
            return where
        single = torch.cat(self._single) if self._single else None
        kind = kind_of_scores(seen, encoder.scores, single, task)
        if kind == "logits" or single is None:
            return where
        self._predicted = [class_scores(single, len(classes), task, kind).argmax(dim=1).numpy()]
        told = "as was said" if encoder.scores else "since a sigmoid or a softmax makes it"
        return [
            *where,
            f"the model's one output was taken for the probability of {classes[1]!r}, {told}, and cut at 0.5",
        ]

    def require_finite(self, data: LabelledData) -> None:
        if not self._rows:
            raise none_readable(data)
        for name, count in self._broken.items():
            if count:
                raise BottleneckError(
                    f"Layer {name!r} gives NaN or infinity for {count} of {len(self._rows)} rows. "
                    "Check the inputs' scale, or choose another layer."
                )
        if self._undefined and self._answer is not None:
            raise DataError(
                f"The model scores {self._answer.task!r} with NaN or infinity for {self._undefined} of {len(data)} "
                "rows. Check the inputs' scale, or the weights behind the bottleneck."
            )

    def _answers(self) -> Answers | None:
        found: Answers | None = np.concatenate(self._predicted) if self._predicted else None  # type: ignore[assignment]
        return found

    def features(self, data: LabelledData, columns: Sequence[str], told: Sequence[str]) -> Features:
        rows = np.array(self._rows, dtype=np.int64)
        read = data.take(rows)
        changed = ["the model changes its inputs in place; it was given copies"] if self.changed_inputs else []
        projections = {name: made for name, made in self._projections.by_layer.items() if name in self._layers}
        narrowed = [
            f"{name}: its {made.n_features_in_:,} numbers were projected at random to {PROJECTED:,}, where a leak in a "
            "few of them may drown"
            for name, made in projections.items()
        ]
        return Features(
            z={name: store.take() for name, store in self._layers.items()},
            predicted=self._answers(),
            rows=rows,
            copies=_alike(self._digests, len(self._digests)),
            fingerprint=read.fingerprint(columns, self._digests),
            key=read.resampling_key(columns, self._digests),
            projections=projections,
            raw=self._inputs.take() if self._source else None,
            raw_source=self._source,
            single_output=bool(self._single),
            notes=(*changed, *told, *narrowed),
        )


def _move(store: Store, whole: Store) -> None:
    """Put the rows of one file behind those of another."""
    for block in blocks(store.take(), AT_ONCE) if store.filled else ():
        whole.add(block)
