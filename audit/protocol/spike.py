"""Spike recovery: would these attackers have found a leak of the size of the limit, in these very features?

As a chemist adds a known amount to a sample and measures how much of it is found: the features stay as they are, and a
label is drawn whose dependence on them is known, along random directions or by random quadratic forms of the whitened
features, of a strength with which the best possible attacker reads the floor and so much more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax
from sklearn.utils import gen_batches

from audit.attackers.attack import Fits, FittedAttacker, Problem, SplitData, again, stacked
from audit.attackers.classification import ClassFit, Classification
from audit.attackers.learner import Labels, Matrix
from audit.attackers.regression import RegressionFit
from audit.attackers.scoring import GuessReading
from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.data.on_disk import blocks
from audit.evidence.findings import PLANTED_DRAWS, PLANTED_MANY, PLANTED_MOST, PLANTED_ROOM, Spike
from audit.parallel.side_by_side import Work
from audit.protocol.target import Target
from audit.settings import Settings

Kind = Literal["linear", "quadratic"]
PLANTED = len(get_args(Kind)) * len(PLANTED_DRAWS)
"""Leaks, where the features have room for all."""
WIDEST = 1024
"""Features that a form is over at most."""
FARTHEST = 3.0
"""Deviations at which a score is cut off, so that no few rows carry the leak."""
STEEPEST = 60.0
LEAST = 1e-4
"""Deviation of a score below which it is rounding noise."""
BLOCK = 4096
WHITENED = "whitened"


def spikes(found: Fits, data: SplitData, target: Target, settings: Settings) -> Work[list[Spike]]:
    """Plant linear and quadratic leaks of the size of the limit and of twice that, which the attackers are to read.

    None where these features have no room for one: those that tell the predicted task label alone, or nothing.
    """
    if settings.limit == 0:
        return Work(lambda _: None, [], lambda _: [])
    readers, base, problem = _readers(found), _base(data, target), data.problem
    many, sizes = len(data.v[2]) >= PLANTED_MANY, [*map(len, data.v)]
    jobs = [
        (kind, size, draw)
        for kind, size in product(get_args(Kind), PLANTED_DRAWS)
        for draw in range(PLANTED_DRAWS[size][many])
    ]
    features = {one.view: found.seen[one.view][1] for one in readers} | {WHITENED: found.seen[WHITENED][1]}

    def read(job: tuple[Kind, int, int]) -> _Recovered:
        kind, size, draw = job
        generator = np.random.default_rng([settings.seed, get_args(Kind).index(kind), size, draw])
        scores = _scores(kind, features[WHITENED], base, generator)
        planted = base.planted(scores, size * settings.limit, generator)
        return _Recovered(planted.excess, _read(planted, readers, features, sizes, problem))

    def recovered(each: list[_Recovered]) -> list[Spike]:
        told = []
        for kind, size in product(get_args(Kind), PLANTED_DRAWS):
            own = [one for job, one in zip(jobs, each, strict=True) if job[:2] == (kind, size)]
            if (spike := _joined(kind, own, readers)).planted >= PLANTED_ROOM * size * settings.limit:
                told.append(spike)
        return told

    return Work(read, jobs, recovered)


@dataclass(frozen=True)
class _Recovered:
    """What the best possible attacker reads of a planted leak beyond the floor, and what the strongest reader does."""

    planted: float
    read: float


@dataclass(frozen=True)
class _Planted:
    """Labels of one draw, and what the best possible attacker reads of them beyond the floor."""

    v: Labels
    excess: float
    floor: float


@dataclass(frozen=True)
class _OfClasses:
    """Plants classes that lean on the predicted task label as those of the attribute do."""

    label: Ints
    """ŷ of each row, (n,), in 0 … m − 1; 0 where it tells nothing."""
    log_share: Doubles
    """Of each class, given ŷ, (m, k), over the rows that fit, select and test."""

    @property
    def columns(self) -> int:
        """Scores a row that are needed."""
        k = self.log_share.shape[1]
        return 1 if k == 2 else k

    def planted(self, scores: Doubles, excess: float, generator: np.random.Generator) -> _Planted:
        """Draw labels whose logits rise with the scores, (n, columns), so that the best attacker reads so much more."""

        def chances(strength: float) -> Doubles:
            found = np.empty((len(scores), self.log_share.shape[1]))
            for rows in gen_batches(len(scores), BLOCK):
                own = scores[rows]
                slopes = np.concatenate([-own / 2, own / 2], axis=1) if own.shape[1] == 1 else own
                found[rows] = softmax(self.log_share[self.label[rows]] + strength * slopes, axis=1)
            return found

        floor = _best_balanced(chances(0.0))
        wanted = min(floor + excess, PLANTED_MOST)
        strength = _solved(lambda a: _best_balanced(chances(a)) - wanted) if wanted > floor else 0.0
        p, dice = chances(strength), generator.random((len(scores), 1))
        drawn = [(p[rows].cumsum(axis=1) < dice[rows]).sum(axis=1) for rows in gen_batches(len(p), BLOCK)]
        v = np.minimum(np.concatenate(drawn), p.shape[1] - 1).astype(np.int64)
        return _Planted(v, _best_balanced(p) - floor, floor)


@dataclass(frozen=True)
class _OfQuantity:
    """Plants a number that leans on the predicted task label as the attribute does."""

    label: Ints
    """As of classes."""
    known: Doubles
    """What ŷ tells of it, (n,), centred, in deviations of the attribute."""
    columns: int = 1

    def planted(self, scores: Doubles, excess: float, generator: np.random.Generator) -> _Planted:
        """Draw numbers of which the scores, (n, 1), explain so much of the variance beyond ŷ."""
        floor = float(self.known.var())
        share = min(excess, PLANTED_MOST - floor) if scores.any() else 0.0
        rest = max(0.0, 1 - floor - share)
        noise = generator.normal(size=len(scores)) * np.sqrt(rest)
        return _Planted(self.known + np.sqrt(max(share, 0.0)) * scores[:, 0] + noise, share, floor)


_Base = _OfClasses | _OfQuantity


def _base(data: SplitData, target: Target) -> _Base:
    """Return what the predicted task label tells of the attribute, if it was found to tell anything."""
    v = np.concatenate(data.v)
    tells = target.predicted is not None and not isinstance(target.floor, GuessReading)
    label = np.zeros(len(v), dtype=np.int64)
    if tells and target.predicted is not None:
        label = np.unique(target.predicted[np.concatenate(target.audited.rows)], return_inverse=True)[1]
    if isinstance(data.problem, Classification):
        counts = np.zeros((int(label.max()) + 1, data.problem.k))
        np.add.at(counts, (label, v), 1)
        return _OfClasses(label, np.log((counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)))
    means = np.bincount(label, v) / np.maximum(np.bincount(label), 1)
    return _OfQuantity(label, (means[label] - v.mean()) / (float(v.std()) or 1.0))


def _scores(kind: Kind, parts: Sequence[Matrix], base: _Base, generator: np.random.Generator) -> Doubles:
    """Return random scores of whitened features, (n, columns), of mean 0 for every ŷ and of variance 1, or 0."""
    columns, label = base.columns, base.label
    d = min(parts[0].shape[1], WIDEST)
    forms = generator.normal(size=(columns, d) if kind == "linear" else (columns, d, d))

    def of(z: Matrix) -> Doubles:
        if kind == "linear":
            return np.asarray(z[:, :d] @ forms.T, dtype=np.float64)
        return np.stack([((z[:, :d] @ form.astype(np.float32)) * z[:, :d]).sum(axis=1) for form in forms], axis=1)

    found = np.concatenate([of(block) for part in parts for block in blocks(part, BLOCK)]).astype(np.float64)
    within = np.bincount(label)
    for _ in range(2):  # what ŷ tells of them is the floor's; cut off, and in units again
        means = np.stack([np.bincount(label, column) / np.maximum(within, 1) for column in found.T], axis=1)
        found = found - means[label]
        spread = found.std(axis=0)
        found = np.where(spread > LEAST, found / np.maximum(spread, LEAST), 0.0)
        found = np.clip(found, -FARTHEST, FARTHEST)
    return found


def _best_balanced(chances: Doubles) -> float:
    """Return the balanced accuracy of the best attacker, who knows the chance of each class in each row, (n, k)."""
    share = chances.mean(axis=0)
    named = np.concatenate([(block / share).argmax(axis=1) for block in blocks(chances, BLOCK)])
    return float((chances[np.arange(len(named)), named] / share[named]).mean() / len(share))


def _solved(beyond: Callable[[float], float]) -> float:
    """Return the strength at which nothing is missing, or the steepest."""
    if beyond(STEEPEST) <= 0:
        return STEEPEST
    return float(brentq(beyond, 0.0, STEEPEST, xtol=1e-4))


def _readers(found: Fits) -> list[FittedAttacker]:
    """Return who reads a planted leak: attackers by products, which see both kinds, or else one of each family."""
    own = [member for member in found.able if member.view == WHITENED] or found.able
    return [member for member in own if member.name == "products"] or own


def _read(
    planted: _Planted,
    readers: Sequence[FittedAttacker],
    features: Mapping[str, list[Matrix]],
    sizes: Sequence[int],
    problem: Problem,
) -> float:
    """Return what the strongest reader reads of planted labels beyond the floor, fitted as the headline is.

    Args:
        planted: Labels of the rows that fit, select and test, one after the other.
        readers: Attackers, each made anew.
        features: Of these rows, by preprocessing.
        sizes: How many fit, select and test.
        problem: How attackers of these labels are fitted and read.
    """
    v = np.split(planted.v, np.cumsum(sizes)[:-1])
    if not problem.can_learn(v):
        return 0.0  # a class that no row of a split was given is not read
    both = np.concatenate(v[:2])

    def fitted(member: FittedAttacker) -> ClassFit | RegressionFit:
        z = features[member.view]
        return again(member, z[0].shape[1], lambda learner: problem.fit(learner, z, v))

    fits = [fitted(member) for member in readers]
    member, fit = max(zip(readers, fits, strict=True), key=lambda pair: pair[1].select.score)
    z = features[member.view]
    answer = again(member, z[0].shape[1], lambda learner: fit.again(learner, stacked(z[:2]), both, z[2]))
    return problem.headline(fit.answers[0], answer, v).score - planted.floor


def _joined(kind: Kind, own: Sequence[_Recovered], readers: Sequence[FittedAttacker]) -> Spike:
    """Return the mean over the draws of one kind and size."""
    return Spike(
        kind=kind,
        planted=float(np.mean([one.planted for one in own])),
        read=float(np.mean([one.read for one in own])),
        draws=len(own),
        attackers=[member.title for member in readers],
    )
