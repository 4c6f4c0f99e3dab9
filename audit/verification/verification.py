"""Verification on people that nothing saw: can two vectors be told to be of one person, by their cosine similarity?

Pairs of test rows are compared, those of one person (genuine) against those of two (impostors): against all of them,
and against those alone that share a private class, because a vector that tells the class tells such a pair apart by it.
AUC, the equal error rate and TAR at FAR are those of ISO/IEC 19795-1, with intervals by resampling people: a genuine
pair counts as often as its person is drawn, an impostor pair as often as both of its people are, one times the other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit.bootstrap import Doubles, Resamples, draws, estimate, estimate_share, resample
from audit.data.columns import MISSING, AnyColumn, Column, Ints
from audit.data.labelled import LabelledData
from audit.data.on_disk import taken
from audit.errors import DataError, UnknownNameError
from audit.evidence.findings import FALSE_ACCEPT_RATES, Accepted, Verification, resolves
from audit.protocol.splits import Splits
from audit.settings import Settings
from audit.verification.pairs import Pairs, genuine_pairs, impostor_pairs, similarities

FEWEST = 10
"""Test people with two rows or more, below which no figure is told."""
MOST_GENUINE, MOST_IMPOSTOR = 50_000, 200_000
"""Pairs that are compared at most; of more, so many are drawn."""


def identified(data: LabelledData, identity: str | None) -> LabelledData:
    """Return rows whose people are never split: grouped by the identities where no other group is given.

    Raises:
        DataError: No one has two rows, or one person is in several of the groups that were given.
    """
    if identity is None:
        return data
    if identity not in data.columns:
        raise UnknownNameError(f"identity column of {data.name}", identity, data.columns)
    own = data.grouped_by(identity)
    person = own.groups()
    if np.bincount(person).max() < 2:
        raise DataError(
            f"No two rows have the same {identity!r}, so nothing tells whether people are recognised. Name a column of "
            "identities of whom some have two rows or more."
        )
    if data.group is None:
        note = f"no group was named, so rows were kept together by {identity!r}, whose people are to stay recognisable"
        return replace(own, notes=(*own.notes, note))
    pairs = np.unique(np.stack([person, data.groups()]), axis=1)[0]
    if len(np.unique(pairs)) < len(pairs):
        raise DataError(
            f"Rows of one {identity!r} are in several groups of {data.group_name!r}, so nobody would be a person that "
            f"nothing saw. Group by what holds people together, for instance --group {identity}."
        )
    return data


@dataclass(frozen=True)
class Tested:
    """The test rows whose person is known, and their groups' resamples."""

    identity: str
    rows: Ints
    """Positions among all rows, (n,)."""
    person: Ints
    """(n,)."""
    resamples: Resamples
    strata: Mapping[str | None, Ints]
    """By private attribute the class of each row, (n,), or MISSING; by None one class of all."""
    key: bytes
    settings: Settings

    @property
    def people(self) -> int:
        """People with two rows or more."""
        return int((np.bincount(self.person) > 1).sum())


def tested(data: LabelledData, private: Mapping[str, AnyColumn], splits: Splits, settings: Settings) -> Tested | None:
    """Return the test rows of known people, None where no identities are named; a DataError if they are too few."""
    identity = settings.keep_identity
    if identity is None:
        return None
    rows = splits.test[data.columns[identity].known[splits.test]]
    drawn = resample(splits.groups[rows], times=settings.bootstrap, seed=settings.seed, key=splits.key)
    strata: dict[str | None, Ints] = {None: np.zeros(len(rows), dtype=np.int64)}
    strata |= {name: column.codes[rows] for name, column in private.items() if isinstance(column, Column)}
    person = data.grouped_by(identity).groups()[rows]
    found = Tested(identity, rows, person, drawn, strata, splits.key, settings)
    if found.people < FEWEST:
        raise DataError(
            f"{found.people} people of the test rows have two rows or more by {identity!r}; to tell whether people are "
            f"recognised takes {FEWEST}. Give more rows of them."
        )
    return found


def verify(layers: Mapping[str, NDArray[np.floating]], asked: Tested) -> Iterator[Verification]:
    """Yield the figures of each layer, (all rows, d): against all impostors, and those of one private class."""
    seed, key = asked.settings.seed, asked.key
    genuine = genuine_pairs(asked.person, MOST_GENUINE, seed, key)
    impostors = {among: _within(asked.person, stratum, seed, key) for among, stratum in asked.strata.items()}
    for layer, values in layers.items():
        z = taken(values, asked.rows)
        alike = similarities(z, genuine)
        for among, pairs in impostors.items():
            if pairs.held:
                yield _figures(layer, among, asked, (genuine, pairs), (alike, similarities(z, pairs)))


def _within(person: Ints, stratum: Ints, seed: int, key: bytes) -> Pairs:
    known = np.flatnonzero(stratum != MISSING)
    pairs = impostor_pairs(person[known], stratum[known], MOST_IMPOSTOR, seed, key)
    return Pairs(known[pairs.one], known[pairs.other], pairs.held)


def _figures(
    layer: str, among: str | None, asked: Tested, pairs: tuple[Pairs, Pairs], alike: tuple[Doubles, Doubles]
) -> Verification:
    (genuine, impostor), people = pairs, asked.people
    area, error, accepted = _resampled(asked.resamples, pairs, alike)
    told = [
        Accepted(
            false_accept_rate=rate,
            rate=estimate_share(accepted[:, place], people) if resolves(len(impostor.one), rate) else None,
        )
        for place, rate in enumerate(FALSE_ACCEPT_RATES)
    ]
    drawn = {"auc": draws(area), "eer": draws(error)}
    drawn |= {one.name: draws(accepted[:, place]) for place, one in enumerate(told) if one.rate}
    return Verification(
        layer=layer,
        identity=asked.identity,
        among=among,
        people=people,
        rows=len(asked.rows),
        genuine=len(genuine.one),
        genuine_held=genuine.held,
        impostor=len(impostor.one),
        impostor_held=impostor.held,
        auc=estimate(area),
        eer=estimate_share(error, people),
        accepted=told,
        draws=drawn,
    )


def _resampled(
    resamples: Resamples, pairs: tuple[Pairs, Pairs], alike: tuple[Doubles, Doubles]
) -> tuple[Doubles, Doubles, Doubles]:
    """Return AUC, EER, (1 + resamples,) each, and the TAR at each FAR, (1 + resamples, rates); NaN where none drawn."""
    levels, place = np.unique(-np.concatenate(alike), return_inverse=True)  # the most alike first
    split, size = len(alike[0]), len(levels)
    genuine, impostor = pairs
    member = resamples.member
    own, one, other = member[genuine.one], member[impostor.one], member[impostor.other]
    apart = one != other  # two people in one group are drawn together
    found = np.full((len(resamples.weights), 2 + len(FALSE_ACCEPT_RATES)), np.nan)
    for draw, row in zip(resamples.weights, found, strict=True):
        w = draw.astype(np.float64)
        right = np.cumsum(np.bincount(place[:split], w[own], size))
        wrong = np.cumsum(np.bincount(place[split:], w[one] * np.where(apart, w[other], 1.0), size))
        if right[-1] > 0 and wrong[-1] > 0:
            row[:] = _curve(right / right[-1], wrong / wrong[-1])
    return found[:, 0], found[:, 1], found[:, 2:]


def _curve(right: Doubles, wrong: Doubles) -> list[float]:
    """Return AUC, EER and the TARs of accepted shares of genuine and impostor pairs, rising over levels, (levels,)."""
    right, wrong = np.concatenate([[0.0], right]), np.concatenate([[0.0], wrong])
    over = wrong + right - 1  # FAR − FRR, rising from −1 to 1
    last = int(np.argmax(over >= 0))
    share = -over[last - 1] / (over[last] - over[last - 1])
    error = wrong[last - 1] + share * (wrong[last] - wrong[last - 1])
    accepted = [right[np.searchsorted(wrong, rate + 1e-12, side="right") - 1] for rate in FALSE_ACCEPT_RATES]
    return [float(np.trapezoid(right, wrong)), float(error), *map(float, accepted)]
