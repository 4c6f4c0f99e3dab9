"""Pairs: a release that keeps more than the task, of finitely many words, about as likely under every private value.

Beside the task the encoder is trained as for the codebook, so that the predicted class tells little more of v than the
task's label does; and so that linear heads read what is kept, for few words can tell only what z is plain about.
Afterwards its features are cut into fine codes within each predicted class, and codes that one class of v has more
often say the same words as codes that the others have more often (sanitizer.methods.pairing). Codes are near where rows
are alike in what is kept: in the scores of the retained attributes and of the task, and, far less, in the principal
coordinates of z; a linear erasure takes v out of these first, so that little is left to be matched. A word is the mean
of z over the rows that say it, at full width, so that the layers behind it work on. It is a finite code: an audit
counts it, and bounds what anybody can read.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from sklearn.cluster import KMeans, MiniBatchKMeans

from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.evidence.method_card import MethodCard
from audit.model.maps.paired_code import PARTS, PRIME, PairedCode
from sanitizer.methods.base import OF_CLASSES, Batch, Objective, Rows, Setting, Terms
from sanitizer.methods.codebook import FEWEST, Classifier, Codebook, CodebookObjective, classifier
from sanitizer.methods.heads import RetainedHeads
from sanitizer.methods.leace import eraser
from sanitizer.methods.low_rank import kept_coordinates
from sanitizer.methods.pairing import paired

FACES = 16
"""Projections of z that the die is thrown by; each is rounded to its own standard deviation."""
ROWS_PER_CODE = 12
"""Training rows for each code, about: the shares of classes in it are estimated from them."""
ROWS_PER_WORD = 20
"""Training rows for each word, at least."""
LARGEST = 150_000
"""Codes × words of a predicted class, about: the time to match them grows faster than that."""
MANY = 20_000
"""Rows from which on k-means goes over minibatches."""
AXES = 64
"""Principal coordinates that codes are near in, at most."""

DESCRIPTION = (
    "lets words pass that each private class says about equally often, matched by a linear programme within each "
    "predicted class"
)
CARD = MethodCard(description=DESCRIPTION, mark="D", light="#7a1fa2", dark="#d59cf0")


@dataclass(frozen=True)
class Pairs:
    """Settings of the paired code."""

    tasks: ClassVar = OF_CLASSES
    weight: float = 0.5
    """Of I(ŷ; v | y) in training."""
    words: int = 64
    """Over all predicted classes: more keep more, and are bounded less tightly."""
    slack: float = 0.5
    """What a table of words may read of the training rows within a predicted class, as a share of what it would read by
    chance of words that tell nothing. 0: each word is exactly as likely in each class, noise of the rows matched away
    with the rest, which keeps less, the more classes the less."""
    keep_weight: float = 16.0
    """Weight of the scores of what is kept beside the principal coordinates of z, in shares of their variance."""
    keep_loss: float = 1.0
    """Weight of the mean loss of the retained attributes in training, by linear heads on z."""
    conditional: bool = True
    """Minimise I(ŷ; v | y), which allows the leakage of the task's label itself; else I(ŷ; v)."""

    def start(self, setting: Setting) -> "PairsObjective":
        """Begin as the codebook does."""
        return PairsObjective(setting, self)


class PairsObjective(Objective):
    """The codebook's training where there is a task, and the paired code at the end."""

    def __init__(self, setting: Setting, settings: Pairs) -> None:
        super().__init__()
        self._private, self._keep, self._settings = tuple(setting.classes), setting.keep, settings
        begun = Codebook(settings.weight, conditional=settings.conditional)
        self.predicted: CodebookObjective | None = begun.start(setting) if setting.task_classes > 1 else None
        self.release: RetainedHeads | None = None
        if self.predicted and self._keep and settings.keep_loss:
            seen = setting.look()
            self.release = RetainedHeads(seen.before, seen.v, self._keep)

    def terms(self, batch: Batch) -> Terms:
        """Return the losses of the task and of what is kept, and the information of the prediction."""
        if self.predicted is None:
            return super().terms(batch)
        found = self.predicted.terms(batch)
        if self.release is None:
            return found
        return Terms(
            found.task, found.removal, self._settings.keep_loss * self.release.loss(batch.before, batch.v, self._keep)
        )

    def finished(self, rows: Callable[[], Rows]) -> PairedCode | None:
        """Return the paired code of the training rows."""
        if not self._private:
            return None
        seen = rows()
        private = [seen.v[name].cpu().numpy() for name in self._private]
        kept = [seen.v[name].cpu().numpy() for name in self._keep]
        has_task = self.predicted is not None
        kept += [seen.scores.argmax(dim=1).cpu().numpy()] if has_task else []
        return fit_pairs(seen, private, kept, self._settings, has_task=has_task)


def fit_pairs(
    rows: Rows, private: Sequence[Ints], kept: Sequence[Ints], settings: Pairs, *, has_task: bool
) -> PairedCode:
    """Return the paired code of training rows.

    Args:
        rows: With their features.
        private: Classes of each private attribute, (n,) each.
        kept: Classes of each retained attribute, and predicted ones, (n,) each.
        settings: How many words, and what is near.
        has_task: Whether the scores are of a task, within whose predicted classes codes are paired.
    """
    z = rows.before.double().cpu().numpy()
    nothing = Classifier(np.zeros((1, z.shape[1])), np.zeros(1), np.zeros(len(z), dtype=np.int64), np.zeros(len(z)))
    found = classifier(rows) if has_task else nothing
    axes, shift = kept_coordinates(rows.before, kept, settings.keep_weight, AXES)
    eraser = _eraser(z @ axes.T, private, found.own)
    axes, shift = eraser @ axes, eraser @ shift
    c = z @ axes.T + shift
    centres, owner, says, words = [], [], [], []
    for label in np.unique(found.own):
        inside = np.flatnonzero(found.own == label)
        if len(inside) < FEWEST:  # one word, wherever a row is
            some, spoken, own_words = np.zeros((1, c.shape[1])), np.ones((1, 1)), found.word(z, inside, label)[None]
        else:
            of_class = max(1, min(round(settings.words * len(inside) / len(z)), len(inside) // ROWS_PER_WORD))
            some, codes = _codes(c[inside], max(2 * of_class, LARGEST // of_class))
            spoken = paired(codes, [v[inside] for v in private], some, of_class, settings.slack)
            rows_of = spoken[codes]  # how much of each row is in each word
            own_words = rows_of.T @ z[inside] / rows_of.sum(axis=0)[:, None]
        words.append(own_words)
        centres.append(some)
        owner.append(np.full(len(some), label))
        says.append(spoken)
    of_words = np.concatenate(words)
    faces, key = _die(z, of_words)
    upto, which = _lists(says)
    parts = (
        found.weight,
        found.bias,
        axes,
        shift,
        np.concatenate(centres),
        np.concatenate(owner),
        upto,
        which,
        of_words,
        faces,
        key,
    )
    made = {name: torch.as_tensor(part, device=rows.before.device) for name, part in zip(PARTS, parts, strict=True)}
    return PairedCode(**{name: part.float() if part.is_floating_point() else part for name, part in made.items()})


def _eraser(c: Doubles, private: Sequence[Ints], own: Ints) -> Doubles:
    """Return the map of coordinates (n, m), (m, m), after which none goes with v, (n,) each, within a predicted class.

    What depends on v linearly is the larger part; codes of what is left lean less on it, and so keep more. Directions
    that go with v no more than they would by chance stay: of many classes there may be as many as of coordinates.
    """
    member = np.concatenate([np.eye(int(v.max()) + 1)[v] for v in private], axis=1)
    axes, lengths, _ = np.linalg.svd(_centred(member, own), full_matrices=False)
    white = axes[:, lengths > 1e-9 * lengths[0]] * np.sqrt(len(c))
    by_chance = (np.sqrt(min(c.shape)) + np.sqrt(white.shape[1])) / np.sqrt(len(c))  # the largest of a random matrix
    return np.asarray(eraser(torch.from_numpy(_centred(c, own)), torch.from_numpy(white), by_chance))


def _centred(x: Doubles, own: Ints) -> Doubles:
    """Return columns (n, m) less their means over the rows of the same predicted class."""
    x = x.copy()
    for label in np.unique(own):
        x[own == label] -= x[own == label].mean(axis=0)
    return x


def _codes(c: Doubles, count: int) -> tuple[Doubles, Ints]:
    """Return the centres of at most `count` codes of rows (n, m), and the code of each row, (n,); no code has few."""
    count = min(count, max(1, len(c) // ROWS_PER_CODE))
    kind = MiniBatchKMeans if len(c) > MANY else KMeans
    centres = np.asarray(kind(count, n_init=1, random_state=0).fit(c).cluster_centers_)
    are_means = False  # over minibatches a centre may be a row
    while True:
        codes = _nearest(c, centres)
        rows = np.bincount(codes, minlength=len(centres))
        if rows.min() < FEWEST < len(c):
            rarest = np.argsort(rows, kind="stable")[: max(1, int((rows < FEWEST).sum()) // 2)]
            centres, are_means = np.delete(centres, rarest, axis=0), False  # their rows go to the nearest others
        elif are_means:
            return centres, codes
        else:
            centres, are_means = np.stack([c[codes == code].mean(axis=0) for code in range(len(centres))]), True


def _nearest(c: Doubles, centres: Doubles) -> Ints:
    found = ((centres**2).sum(axis=1) - 2 * c @ centres.T).argmin(axis=1)
    return np.asarray(found, dtype=np.int64)


def _die(z: Doubles, words: Doubles) -> tuple[Doubles, Ints]:
    """Return the projections of the die and the key of its hash, both drawn from what was fitted."""
    seed = hashlib.sha256(np.ascontiguousarray(words).tobytes()).digest()
    generator = np.random.default_rng(int.from_bytes(seed[:16]))
    faces = generator.normal(size=(FACES, z.shape[1])) / (z.std(axis=0) + 1e-12)
    faces /= (z @ faces.T).std(axis=0)[:, None] + 1e-12
    return faces, generator.integers(1, PRIME, FACES + 1)


def _lists(says: Sequence[Doubles]) -> tuple[Doubles, Ints]:
    """Return each code's words and their cumulative shares, (K, P) each, of tables that have their own words each."""
    longest = max(int((one > 0).sum(axis=1).max()) for one in says)
    upto, which, before = [], [], 0
    for table in says:
        for shares in table:
            there = np.flatnonzero(shares)
            more = longest - len(there)
            upto.append(np.pad(np.cumsum(shares[there])[:-1], (0, more + 1), constant_values=1.0))
            which.append(np.pad(there + before, (0, more), mode="edge"))
        before += table.shape[1]
    return np.stack(upto), np.stack(which)
