"""The rows that a pass has been over: what layers gave of each, in mapped files, and what the model answered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.random_projection import SparseRandomProjection
from torch import Tensor

from audit.data.columns import Answers, Ints
from audit.data.labelled import LabelledData
from audit.data.loading import none_readable
from audit.data.model_input import ModelInput
from audit.data.on_disk import AT_ONCE, Floats, Store, blocks
from audit.errors import BottleneckError, DataError
from audit.model.features.projection import PROJECTED, Projections, describe_inputs
from audit.model.features.saved_batches import Given
from audit.model.structure.layout import Pooling
from audit.model.structure.listing import Seen
from audit.model.structure.padding import Ends
from audit.model.structure.scores import Answer, Scores, class_scores, is_single, kind_of_scores
from audit.model.structure.thresholds import Thresholds


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


def alike(digests: Iterable[bytes], count: int) -> Ints:
    """Return a number for each row, (n,), the same for rows of the very same content."""
    return np.unique(np.fromiter(digests, dtype="S32", count=count), return_inverse=True)[1].astype(np.int64)


class Gathered:
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
    def joined(parts: Sequence["Gathered"]) -> "Gathered":
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

    def add_inputs(
        self, rows: Sequence[int], x: ModelInput, own: Sequence[bytes], *, keep: bool, text: Tensor | None
    ) -> None:
        """Put the inputs of read rows, x (b, …), and their digests behind those that are there; `keep` them reduced."""
        self._rows += rows
        self._digests += own
        if text is not None:
            self.ends.add(text)
        if keep:
            self._inputs.add(self._projections.narrow_inputs(x))
            self._source = describe_inputs(x)

    @property
    def asks(self) -> bool:
        """Whether what the model answers counts."""
        return self._answer is not None

    def given(self, z: Mapping[str, Tensor], output: object, *, changed_inputs: bool) -> Given:
        """Return what the model gave for a batch, representations (b, d) by layer and its output, as it is kept."""
        narrow = {name: self._projections.narrow(name, rows) for name, rows in z.items()}
        return Given(narrow, output if self.asks else None, changed_inputs)

    def add(self, given: Given) -> None:
        """Put what the model gave for a batch behind."""
        self.changed_inputs |= given.changed_inputs
        for name, rows in given.z.items():
            self._broken[name] += int((~np.isfinite(rows)).any(axis=1).sum())
            self._layers[name].add(rows)
        if self._answer:
            self._add_scores(given.output, self._answer)

    def _add_scores(self, output: object, answer: Answer) -> None:
        scores = answer.read(output, self._thresholds.kind)
        self._undefined += int((~torch.isfinite(scores)).any(dim=1).sum())
        self._predicted.append(answer.said(scores).cpu().numpy())
        if answer.is_ordinal or scores.shape[1] > 2:
            self._thresholds.add(scores)
        elif answer.classes is not None and is_single(output):
            self._single.append(output.reshape(-1).float().cpu())

    def settle_scores(self, seen: Seen, output: str | None, scores: Scores | None) -> list[str]:
        """Cut single scores where they are to be cut, and return what is to be said of the scores.

        Args:
            seen: What a few rows showed.
            output: The part of the model's output that holds the scores; None: all of it.
            scores: What the user said that they are.
        """
        answer = self._answer
        if answer is None:
            return []
        task, classes = answer.task, answer.classes
        if classes is None:
            place = f"what the model returns as {output!r}" if output else "the model's one output"
            return [f"{place} was taken for {task!r} itself, in the unit of the column"]
        where = [f"the scores of {task!r} are what the model returns as {output!r}"] if output else []
        if self._thresholds.rows:
            where += self._thresholds.told(answer)
        if answer.is_ordinal:
            return where
        single = torch.cat(self._single) if self._single else None
        kind = kind_of_scores(seen, scores, single, task)
        if kind == "logits" or single is None:
            return where
        self._predicted = [class_scores(single, len(classes), task, kind).argmax(dim=1).numpy()]
        told = "as was said" if scores else "since a sigmoid or a softmax makes it"
        return [
            *where,
            f"the model's one output was taken for the probability of {classes[1]!r}, {told}, and cut at 0.5",
        ]

    def require_finite(self, data: LabelledData) -> None:
        """Raise a DataError where no row could be read or scores are NaN, a BottleneckError where a layer is."""
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
        """Return all of it, with what is to be told of it."""
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
            copies=alike(self._digests, len(self._digests)),
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
