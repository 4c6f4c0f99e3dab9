"""Who is exposed: what the strongest attacker reads by class, at few false alarms, and with several rows of a person.

A balanced accuracy near the floor is a mean. It can hide a class that is recognised, a few people who are read with
certainty, and people who give away by many rows what no single one tells.
"""

import numpy as np
from scipy.special import log_softmax

from audit.attackers.attack import Attack, SplitData
from audit.attackers.calibration import Calibration, fit_offset
from audit.attackers.scoring import ClassReading
from audit.bootstrap import Doubles, Resamples, estimate_share, resample
from audit.data.columns import Ints
from audit.data.labelled import MIN_ROWS
from audit.evidence.densities import FEWEST
from audit.evidence.findings import RATES, SHOTS, ClassRecall, Exposure, Shots, TruePositives
from audit.protocol.target import Target
from audit.settings import Settings

PASSED = 10
"""Groups of the other class that a threshold lets pass at least, or its rate is not told."""


def exposure(found: Attack, target: Target) -> Exposure | None:
    """Return the recall of every class, and of two classes the true-positive rates of each; None for a quantity."""
    reading, resamples = found.headline, target.resamples
    if not isinstance(reading, ClassReading):
        return None
    names = [one.name for one in target.audited.classes]
    groups = resamples.groups(reading.labels, reading.k)
    recalls = resamples.recalls(reading.right, reading.labels, reading.k)
    return Exposure(
        recalls=[
            ClassRecall(name=name, recall=estimate_share(recalls[:, c], groups[c]) if groups[c] >= FEWEST else None)
            for c, name in enumerate(names)
        ],
        found=_true_positives(reading, resamples, names) if reading.k == 2 else [],
    )


def _true_positives(reading: ClassReading, resamples: Resamples, names: list[str]) -> list[TruePositives]:
    """Look for each of two classes by the log-likelihood ratio, at each of RATES."""
    margin = reading.log2_posterior[:, 1] - reading.log2_posterior[:, 0]
    groups, told = resamples.groups(reading.labels, 2), []
    for wanted, score in enumerate((-margin, margin)):
        shares = resamples.found_at(score, reading.labels == wanted, RATES)
        for place, rate in enumerate(RATES):
            enough = groups[wanted] >= FEWEST and groups[1 - wanted] * rate >= PASSED - 1e-9
            figure = estimate_share(shares[:, place], groups[wanted]) if enough else None
            told.append(TruePositives(wanted=names[wanted], false_positive_rate=rate, rate=figure))
    return told


def shots(found: Attack, data: SplitData, target: Target, settings: Settings) -> list[Shots]:
    """Return what is read with each number of rows of one person; nothing where groups have one row, or few have more.

    A person's rows are taken for independent given the class, as an attacker would who knows no better: their
    log-likelihood ratios are summed. The threshold is fitted for each number on people of the selection split.
    """
    before, answer = found.answers
    _, select, test = target.audited.rows
    if answer.ndim != 2 or np.unique(target.groups[test], return_counts=True)[1].max() < min(SHOTS[1:]):
        return []  # a quantity, or nobody with several rows
    k = answer.shape[1]
    prior, asked_prior = (np.bincount(data.v[part], minlength=k) / len(data.v[part]) for part in (0, 2))
    rows = Calibration(1.0, fit_offset(before, data.v[1], k), prior)
    # whoever was fitted again may answer a little higher or lower as a whole; the rows tell by how much
    answer = answer + rows.moved(before, data.v[1], answer, asked_prior).offset - rows.offset
    generator, told = np.random.default_rng(settings.seed), []
    for m in SHOTS:
        known, known_v = _people(before, data.v[1], target.groups[select], m, generator)
        asked, asked_v = _people(answer, data.v[2], target.groups[test], m, generator)
        enough = np.bincount(asked_v, minlength=k).min() >= FEWEST, np.bincount(known_v, minlength=k).min() >= MIN_ROWS
        if all(enough):
            right = (asked + fit_offset(known, known_v, k)).argmax(axis=1) == asked_v
            resamples = resample(np.arange(len(asked)), times=settings.bootstrap, seed=settings.seed, key=target.key)
            figure = estimate_share(resamples.mean_recall(right, asked_v, k), resamples.independent(asked_v, k))
            told.append(Shots(rows=m, people=len(asked), figure=figure))
    return told if any(one.rows > 1 for one in told) else []


def _people(answers: Doubles, v: Ints, groups: Ints, m: int, generator: np.random.Generator) -> tuple[Doubles, Ints]:
    """Return log-likelihoods summed over m rows of each group that has as many and one class, (people, k), and v."""
    order = generator.permutation(len(v))
    order = order[np.argsort(groups[order], kind="stable")]  # by group, and at random within it
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    own = v[order]
    alike = np.minimum.reduceat(own, starts) == np.maximum.reduceat(own, starts)
    starts = starts[alike & (sizes >= m)]
    drawn = order[starts[:, None] + np.arange(m)]  # (people, m)
    return np.asarray(log_softmax(answers[drawn], axis=2).sum(axis=1)), v[drawn[:, 0]]
