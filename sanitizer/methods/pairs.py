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
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin

from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.evidence.method_card import MethodCard
from audit.model.maps.paired_code import PARTS, PRIME, PairedCode
from sanitizer.methods.base import OF_CLASSES, Batch, Objective, Rows, Setting, Terms
from sanitizer.methods.codebook import FEWEST, Classifier, Codebook, CodebookObjective, classifier, has_many
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
"""Codes × words of a predicted class where there are two private classes, about; of more, as much less: the time to
match them grows faster than that."""
MANY = 20_000
"""Rows that k-means goes over, at most."""
OUTER, STILL = 0.01, 1e-6
"""Share of a feature's values on either side that its spread is told without, and the spread, as a share of the largest
value, below which it is constant."""
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
    """How far the words of each private class may be from those of all training rows within a predicted class, as a
    share of how far they would be by chance if words told nothing. 0: each word is exactly as likely in each class,
    noise of the rows matched away with the rest, which keeps less, the more classes the less."""
    keep_weight: float = 16.0
    """Weight of the scores of what is kept beside the principal coordinates of z, in shares of their variance."""
    keep_loss: float = 1.0
    """Weight of the mean loss of the retained attributes in training, by linear heads on z."""
    conditional: bool = True
    """Minimise I(ŷ; v | y), which allows the leakage of the task's label itself; else I(ŷ; v)."""

    def __post_init__(self) -> None:
        """Refuse what is no setting of a code."""
        if not isinstance(self.words, int) or isinstance(self.words, bool) or self.words < 2:
            raise ValueError(f"words is {self.words!r}. Give a whole number of at least 2.")
        for name in ("weight", "slack", "keep_loss", "keep_weight"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ValueError(f"{name} is {value!r}. Give a number of at least 0.")

    def start(self, setting: Setting) -> "PairsObjective":
        """Begin as the codebook does, with a head of each retained attribute beside it."""
        return PairsObjective(setting, self)


class PairsObjective(Objective):
    """The codebook's training where there is a task, for what is kept beside it, and the paired code at the end."""

    def __init__(self, setting: Setting, settings: Pairs) -> None:
        super().__init__()
        self._private, self._keep, self._settings = tuple(setting.classes), tuple(setting.keep), settings
        begun = Codebook(settings.weight, conditional=settings.conditional)
        self.predicted: CodebookObjective | None = begun.start(setting) if setting.task_classes > 1 else None
        self.retained: RetainedHeads | None = None
        if self.predicted and setting.keep and settings.keep_loss:
            seen = setting.look()
            self.retained = RetainedHeads(seen.before, seen.v, setting.keep)

    def terms(self, batch: Batch) -> Terms:
        """Return the losses of the task and of what is kept, and the information of the prediction."""
        if self.predicted is None:
            return super().terms(batch)
        found = self.predicted.terms(batch)
        if self.retained is None:
            return found
        return Terms(found.task, found.removal, self._settings.keep_loss * self.retained.loss(batch))

    def learn(self, batch: Batch) -> None:
        """Take a step of the heads of what is kept."""
        if self.retained is not None:
            self.retained.learn(batch)

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
    without = _without_v(z @ axes.T, private, found.own)
    axes, shift = without @ axes, without @ shift
    c = z @ axes.T + shift
    centres, owner, says, words, classes = [], [], [], [], sum(len(np.unique(v)) for v in private)
    for label in np.unique(found.own):
        inside = np.flatnonzero(found.own == label)
        if not has_many(z[inside]):  # one word, wherever a row is
            some, spoken, own_words = np.zeros((1, c.shape[1])), np.ones((1, 1)), found.word(z, inside, label)[None]
        else:
            of_class = max(1, min(round(settings.words * len(inside) / len(z)), len(inside) // ROWS_PER_WORD))
            some, codes = _codes(c[inside], _most_codes(of_class, classes))
            spoken = paired(codes, [v[inside] for v in private], some, of_class, settings.slack)
            rows_of, total = _in_codes(z[inside], codes)
            own_words = spoken.T @ total / (spoken.T @ rows_of)[:, None]
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


def _without_v(c: Doubles, private: Sequence[Ints], own: Ints) -> Doubles:
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


def _most_codes(words: int, classes: int) -> int:
    """Return how many codes are matched to so many words, at most; of two classes at least twice as many."""
    return max(2 * words if classes <= 2 else words, 2 * LARGEST // (max(2, classes) * words))


def _codes(c: Doubles, count: int) -> tuple[Doubles, Ints]:
    """Return the centres of at most `count` codes of rows (n, m), and the code of each row, (n,).

    No code has few rows that differ: training may go over a row several times. Of many rows, some are enough to find
    where codes are; all of them tell their means.
    """
    some = c if len(c) <= MANY else c[np.random.default_rng(0).permutation(len(c))[:MANY]]
    count = min(count, max(1, len(some) // ROWS_PER_CODE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer distinct rows than codes
        centres = np.asarray(KMeans(count, n_init=1, random_state=0).fit(some).cluster_centers_, dtype=np.float64)
    are_means, differing = False, np.unique(c, axis=0, return_index=True)[1]
    while True:
        codes = _nearest(c, centres)
        rows = np.bincount(codes[differing], minlength=len(centres))
        if rows.min() < FEWEST and len(centres) > 1:
            rarest = np.argsort(rows, kind="stable")[: max(1, int((rows < FEWEST).sum()) // 2)]
            centres, are_means = np.delete(centres, rarest, axis=0), False  # their rows go to the nearest others
        elif are_means:
            return centres, codes
        else:
            of_code, total = _in_codes(c, codes)
            centres, are_means = total / of_code[:, None], True


def _nearest(c: Doubles, centres: Doubles) -> Ints:
    return np.asarray(pairwise_distances_argmin(c, centres), dtype=np.int64)


def _in_codes(x: Doubles, codes: Ints) -> tuple[Doubles, Doubles]:
    """Return how many rows (n, d) each code has, (K,), and their sum, (K, d)."""
    member = sparse.csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))))
    return np.asarray(member.sum(axis=1), dtype=np.float64), np.asarray(member @ x, dtype=np.float64)


def _die(z: Doubles, words: Doubles) -> tuple[Doubles, Ints]:
    """Return the projections of the die and the key of its hash, both drawn from what was fitted.

    A feature that is constant, but for rounding, would be all that a projection tells; one row far out as well.
    """
    seed = hashlib.sha256(np.ascontiguousarray(words).tobytes()).digest()
    generator = np.random.default_rng(int.from_bytes(seed[:16]))
    inside = np.clip(z, *np.quantile(z, [OUTER, 1 - OUTER], axis=0))
    spread = inside.std(axis=0)
    moves = spread > STILL * np.abs(inside).max(axis=0)
    faces = generator.normal(size=(FACES, z.shape[1])) * moves / np.where(moves, spread, 1)
    faces /= (inside @ faces.T).std(axis=0)[:, None] + 1e-12
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
