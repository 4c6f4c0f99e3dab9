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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.errors import TrainingError, require_number
from audit.evidence.method_card import MethodCard
from audit.model.maps.paired_code import PARTS, PRIME, PairedCode
from sanitizer.methods.base import OF_CLASSES, Batch, Objective, Rows, Setting, Terms
from sanitizer.methods.codebook import Classifier, Codebook, CodebookObjective, classifier, has_many, once_each
from sanitizer.methods.heads import RetainedHeads
from sanitizer.methods.leace import eraser
from sanitizer.methods.low_rank import kept_coordinates
from sanitizer.methods.pairing import apart, codes_of, furthest, in_codes, most_codes, nearest, paired, shares_in_lists

FACES, KEYS = 16, 64
"""Projections of z that the die is thrown by, each rounded to its own standard deviation; keys of it that are tried."""
AT_ONCE = 10_000
"""Rows whose code is looked for at once."""
ROWS_PER_WORD = 20
"""Training rows for each word, at least."""
SLACK = 0.5
"""Of attributes of more than two classes: the more there are, the less stays where their noise is matched away."""
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
    """Over all predicted classes, each of which has one at least: more keep more, and are bounded less tightly."""
    slack: float | None = None
    """How far the words of each private class may be from those of all training rows within a predicted class, as a
    share of how far they would be by chance if words told nothing. 0: each word is exactly as likely in each class,
    noise of the rows matched away with the rest. None: 0 of two classes, which costs little, else `SLACK`."""
    keep_weight: float = 16.0
    """Weight of the scores of what is kept beside the principal coordinates of z, in shares of their variance."""
    keep_loss: float = 1.0
    """Weight of the mean loss of the retained attributes in training, by linear heads on z."""
    conditional: bool = True
    """Minimise I(ŷ; v | y), which allows the leakage of the task's label itself; else I(ŷ; v)."""

    def __post_init__(self) -> None:
        """Refuse a code of one word."""
        require_number("words", self.words, 2)

    def start(self, setting: Setting) -> "PairsObjective":
        """Begin as the codebook does, with a head of each retained attribute beside it."""
        if setting.task_classes > self.words:
            raise TrainingError(
                f"--words {self.words} are too few for the {setting.task_classes} classes of the task: each has one of "
                f"its own, at least. Give --words {setting.task_classes} or more, or --method codebook."
            )
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
    found = _as_released(classifier(rows), rows.before) if has_task else nothing
    axes, shift = kept_coordinates(rows.before, kept, settings.keep_weight, AXES)
    without = _without_v(z @ axes.T, private, found.own)
    axes, shift = without @ axes, without @ shift
    slack = [(SLACK if len(np.unique(v)) > 2 else 0.0) if settings.slack is None else settings.slack for v in private]
    row = np.arange(len(z)) if rows.drawn is None else rows.drawn.cpu().numpy()
    fit = _Fit(z, z @ axes.T + shift, private, found, slack, row, rows.whose)
    labels, frequent = np.unique(found.own, return_counts=True)
    upto = np.round(max(0, settings.words - len(labels)) * np.cumsum([0, *frequent]) / len(z))
    most = np.minimum(1 + np.diff(upto).astype(np.int64), np.maximum(1, frequent // ROWS_PER_WORD))
    said = [fit.said(*each) for each in zip(labels, most, strict=True)]
    faces, keys = _dice(z, private)
    while True:
        parts = (found.weight, found.bias, axes, shift, *_tables(labels, said), faces, keys[0])
        code = PairedCode(**{name: _tensor(part, rows.before) for name, part in zip(PARTS, parts, strict=True)})
        wrong = fit.wrong(code, rows.before, said, keys)
        if not len(wrong):
            return code
        for place in wrong:
            said[place] = fit.said(labels[place], len(said[place].words) // 2)


@dataclass(frozen=True)
class _Said:
    """The codes of one predicted class, and what they say."""

    inside: Ints
    """Rows that are given the class, (n',)."""
    centres: Doubles
    """(K, m)."""
    says: Doubles
    """How often each code says each word, (K, words)."""
    words: Doubles
    """(words, d)."""
    limits: Sequence[Doubles]
    """How far the words of each class of each private attribute may be from those of all rows, (k,) each: as far as is
    allowed, and as chance took any class in any drawing."""


@dataclass(frozen=True)
class _Fit:
    """The training rows that a code is fitted on."""

    z: Doubles
    """(n, d)."""
    c: Doubles
    """Coordinates in which codes are near, (n, m)."""
    private: Sequence[Ints]
    """Classes of each private attribute, (n,) each."""
    found: Classifier
    slack: Sequence[float]
    """Of each private attribute."""
    row: Ints
    """Which row each is, (n,): training may go over one several times."""
    whose: Ints
    """Whom each stands for, (n,)."""

    def said(self, label: int, most: int) -> _Said:
        """Return the codes of the rows that are given a class, and what they say: so many words, at most."""
        inside = np.flatnonzero(self.found.own == label)
        row, private = self.row[inside], [v[inside] for v in self.private]
        once = inside[np.unique(row, return_index=True)[1]]  # a word or a centre of one row many times were that row
        if most == 1 or not has_many(self.z[once], self.whose[once]):  # wherever a row is
            nowhere, word = np.zeros((1, self.c.shape[1])), self.found.word(self.z, self.whose, once, label)
            return _Said(inside, nowhere, np.ones((1, 1)), word[None], [])
        count = most_codes(most, sum(len(np.unique(v)) for v in self.private))
        centres, own = codes_of(self.c[once], count, self.whose[once])
        codes = nearest(self.c[inside], centres)
        says = paired(codes, private, centres, most, self.slack, row)
        rows, total = in_codes(self.z[once], own, once_each(self.whose[once]))
        expected = says.T @ np.bincount(codes, minlength=len(says))
        limits = [furthest(v, expected, row, slack) for v, slack in zip(private, self.slack, strict=True)]
        return _Said(inside, centres, says, says.T @ total / (says.T @ rows)[:, None], limits)

    def wrong(self, code: PairedCode, z: Tensor, said: Sequence[_Said], keys: Ints) -> Ints:
        """Give a code the key with which rows say words about as often as their codes do; return where none does.

        Rows with the same features, or nearly, throw the same die: where few others are, it has few sides. These are
        the places in `said` where the words of some private class are further from those of all rows than they may be.
        """
        z = z.float()
        steps = code.steps(z)
        of = torch.cat([code.code(part) for part in torch.split(z, AT_ONCE)])
        found = []
        for key in keys:
            code.key = _tensor(key, z)
            words = code.said(of, code.thrown(steps)).cpu().numpy()
            found.append(np.flatnonzero([self._is_beyond(words, one) for one in said]))
            if not len(found[-1]):
                break
        best = min(range(len(found)), key=lambda place: len(found[place]))
        code.key = _tensor(keys[best], z)
        return found[best]

    def _is_beyond(self, words: Ints, said: _Said) -> bool:
        """Return whether some class is further than it may be, of words of all rows, (n,)."""
        each = zip(self.private, said.limits, strict=False)  # of one word there are no limits
        return any(bool((apart(words[said.inside], v[said.inside]) > most).any()) for v, most in each)


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


def _as_released(found: Classifier, z: Tensor) -> Classifier:
    """Return a classifier that gives rows (n, d) the classes that the code will: in float32 a tie may go elsewhere."""
    weight, bias = _tensor(found.weight, z), _tensor(found.bias, z)
    return replace(found, own=functional.linear(z.float(), weight, bias).argmax(dim=1).cpu().numpy())


def _dice(z: Doubles, private: Sequence[Ints]) -> tuple[Doubles, Ints]:
    """Return the projections of the die, (s, d), and keys of its hash, (KEYS, s + 1).

    They are drawn from how many rows there are of each class: so they are the same wherever a run is computed. A
    feature that is constant, but for rounding, would be all that a projection tells; one row far out as well.
    """
    generator = np.random.default_rng([len(z), *(int(n) for v in private for n in np.bincount(v))])
    inside = np.clip(z, *np.quantile(z, [OUTER, 1 - OUTER], axis=0))
    spread = inside.std(axis=0)
    moves = spread > STILL * np.abs(inside).max(axis=0)
    faces = generator.normal(size=(FACES, z.shape[1])) * moves / np.where(moves, spread, 1)
    faces /= (inside @ faces.T).std(axis=0)[:, None] + 1e-12
    return faces, generator.integers(1, PRIME, (KEYS, FACES + 1))


def _tensor(part: Doubles | Ints, like: Tensor) -> Tensor:
    made = torch.as_tensor(part, device=like.device)
    return made.float() if made.is_floating_point() else made


def _tables(labels: Ints, said: Sequence[_Said]) -> tuple[Doubles, Ints, Doubles, Ints, Doubles]:
    """Return the centres, their owners, their cumulative shares and words, and the words of all predicted classes."""
    owner = np.repeat(labels, [len(one.centres) for one in said])
    centres, words = (np.concatenate(parts) for parts in ([one.centres for one in said], [one.words for one in said]))
    return centres, owner, *shares_in_lists([one.says for one in said]), words
