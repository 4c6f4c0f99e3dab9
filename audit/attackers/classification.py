"""Attack classes: fit all attackers on train, calibrate and choose on select, join the best, and read test.

The headline is the attacker, or the committee of them, that reads best on *select*. It is fitted once more
on train and select together, as an adversary would, and then reads *test*, which nothing was chosen on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audit.attackers.calibration import Calibration, Reading, calibrate, raw_scores, read
from audit.attackers.ensemble import choose_members, joined
from audit.attackers.families import VIEWS, Make, Matrix, family, view
from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.errors import DataError
from audit.evidence.findings import COMMITTEE
from audit.parallel import side_by_side
from audit.settings import Settings


@dataclass(frozen=True)
class Parts:
    """Features and classes of the rows that fit, choose and test."""

    z: tuple[Matrix, Matrix, Matrix]
    """Each (n, d)."""
    v: tuple[Ints, Ints, Ints]
    """Each (n,), in 0 … k − 1."""

    @property
    def k(self) -> int:
        """Number of classes."""
        return int(max(part.max() for part in self.v)) + 1


@dataclass(frozen=True)
class Member:
    """One attacker on one view, fitted and calibrated."""

    name: str
    view: str
    make: Make
    lens: Any
    """The view's transformer."""
    estimator: Any
    prior: Doubles
    calibration: Calibration
    scores: tuple[Doubles, Doubles]
    """Of the select and test rows, each (n, k)."""
    select: Reading
    test: Reading

    @property
    def title(self) -> str:
        """`name on view`."""
        return f"{self.name} on {self.view}"

    def log2_posterior(self, z: Matrix) -> Doubles:
        """Return the log-probability of each class, (n, k), in bits, from features (n, d)."""
        return self.calibration.log2_posterior(raw_scores(self.estimator, self.lens.transform(z), self.prior))


@dataclass(frozen=True)
class Failure:
    """An attacker that could not run."""

    name: str
    view: str
    reason: str


@dataclass(frozen=True)
class Attack:
    """What all attackers made of one attribute at one layer."""

    members: list[Member | Failure]
    """The best setting of every attacker on every view."""
    committee: tuple[Reading, Reading] | None
    """What they read together on select and test, fitted on train; None where there is one alone."""
    strongest: str
    """Title of the headline."""
    headline: Reading
    """Of the test rows, fitted on train and select."""
    best: Member
    """The strongest single attacker."""


def attack(parts: Parts, settings: Settings, *, tries: int | None = None) -> Attack:
    """Let every attacker try, with at most so many of its settings if `tries` says so.

    Raises:
        DataError: None could run.
    """
    lenses, seen = views(parts.z)
    jobs = [
        (name, look, make)
        for look in VIEWS
        for name in settings.attackers
        for make in family(name).classifiers(settings.seed)[:tries]
    ]

    def one(job: tuple[str, str, Make]) -> Member | Failure:
        name, look, make = job
        try:
            return _member(name, look, make, lenses[look], seen[look], parts.v)
        except (ValueError, np.linalg.LinAlgError, MemoryError, TypeError) as error:
            return Failure(name, look, (str(error).splitlines() or [type(error).__name__])[0])

    tried = side_by_side(one, jobs)
    members = [_best(tried, name, look) for look in VIEWS for name in settings.attackers if _any(tried, name)]
    del tried  # the other settings' support vectors
    able = [member for member in members if isinstance(member, Member)]
    if not able:
        reason = next((one.reason for one in members if isinstance(one, Failure)), "none of them reads classes")
        raise DataError(f"No attacker could run: {reason}.")
    best = max(able, key=lambda member: member.select.balanced_accuracy)
    shares, committee = _committee(able, parts)
    together = len(able) > 1 and committee[0].balanced_accuracy >= best.select.balanced_accuracy
    if not together:
        shares = np.array([float(member is best) for member in able])
    headline = _headline(able, shares, seen, parts)
    counted = [member for member, share in zip(able, shares, strict=True) if share > 0]
    strongest = counted[0].title if len(counted) == 1 else COMMITTEE
    return Attack(members, committee if len(able) > 1 else None, strongest, headline, best)


def views(z: Sequence[Matrix]) -> tuple[dict[str, Any], dict[str, list[Matrix]]]:
    """Fit every view on the first part, and show all parts through it: transformers and features by view."""

    def fitted(name: str) -> tuple[Any, list[Matrix]]:
        lens = view(name, z[0])
        return lens, [lens.transform(part).astype(np.float32) for part in z]

    found = dict(zip(VIEWS, side_by_side(fitted, VIEWS), strict=True))
    return {name: lens for name, (lens, _) in found.items()}, {name: parts for name, (_, parts) in found.items()}


def from_scratch(estimator: Any, z: Sequence[Matrix], v: Sequence[Ints], k: int) -> tuple[Reading, Reading]:
    """Fit an estimator on train, calibrate it on select and let it read select and test: z and v of the three."""
    prior = np.bincount(v[0], minlength=k) / len(v[0])
    estimator.fit(z[0], v[0])
    select = raw_scores(estimator, z[1], prior)
    calibration = calibrate(select, v[1], prior)
    return read(select, v[1], calibration), read(raw_scores(estimator, z[2], prior), v[2], calibration)


def _member(name: str, look: str, make: Make, lens: Any, z: Sequence[Matrix], v: Sequence[Ints]) -> Member:
    prior = np.bincount(v[0]) / len(v[0])
    estimator = make(z[0].shape[1]).fit(z[0], v[0])
    select, test = (raw_scores(estimator, rows, prior) for rows in z[1:])
    calibration = calibrate(select, v[1], prior)
    return Member(
        name, look, make, lens, estimator, prior, calibration, (select, test),
        read(select, v[1], calibration), read(test, v[2], calibration),
    )  # fmt: skip


def _any(tried: Sequence[Member | Failure], name: str) -> bool:
    return any(one.name == name for one in tried)


def _best(tried: Sequence[Member | Failure], name: str, look: str) -> Member | Failure:
    """Return the setting of one attacker on one view that predicts the selection rows best."""
    own = [one for one in tried if (one.name, one.view) == (name, look)]
    able = [one for one in own if isinstance(one, Member)]
    return min(able, key=lambda member: member.select.cross_entropy) if able else own[0]


def _committee(members: Sequence[Member], parts: Parts) -> tuple[Doubles, tuple[Reading, Reading]]:
    """Choose who counts how much on select, and read select and test by it."""
    select, test = ([_answer(member, member.scores[part]) for member in members] for part in (0, 1))
    prior, labels = members[0].prior, parts.v[1]
    as_said = Calibration(1.0, np.zeros(len(prior)), prior)
    shares = choose_members(select, lambda answer: read(answer, labels, as_said).cross_entropy)
    said = joined(select, shares)
    calibration = calibrate(said, labels, prior)
    return shares, (read(said, labels, calibration), read(joined(test, shares), parts.v[2], calibration))


def _headline(members: Sequence[Member], shares: Doubles, seen: dict[str, list[Matrix]], parts: Parts) -> Reading:
    """Read test by the attackers that count, each fitted once more on train and select."""
    labels = np.concatenate(parts.v[:2])
    prior = np.bincount(labels) / len(labels)
    counted = [(member, share) for member, share in zip(members, shares, strict=True) if share > 0]

    def again(job: tuple[Member, float]) -> Doubles:
        member, _ = job
        train, select, test = seen[member.view]
        estimator = member.make(train.shape[1]).fit(np.concatenate([train, select]), labels)
        return _answer(member, raw_scores(estimator, test, prior))

    answer = joined(side_by_side(again, counted), np.array([share for _, share in counted]))
    before = joined([_answer(member, member.scores[0]) for member, _ in counted], np.array([s for _, s in counted]))
    calibration = calibrate(before, parts.v[1], members[0].prior)
    return read(answer, parts.v[2], calibration.moved(before, answer))


def _answer(member: Member, scores: Doubles) -> Doubles:
    """Return what an attacker says of each class, in units that can be joined."""
    return member.calibration.log_odds(scores)
