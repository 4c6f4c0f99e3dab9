"""How sure the strongest attacker is of the test rows of each class: its log-odds, in bins."""

import numpy as np

from audit.attackers.scoring import ClassReading
from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.evidence.densities import FURTHEST, STEP, ScoreDensity
from audit.protocol.densities.disclosure import bins


def score_densities(reading: ClassReading, people: Ints, names: list[str]) -> list[ScoreDensity]:
    """Return the scores of each class in bins; a class of too few people is left out.

    Args:
        reading: Of the test rows.
        people: Whose each test row is, (n,).
        names: Of the classes, (k,).
    """
    score = np.clip(log_odds(reading), -FURTHEST, FURTHEST)
    places, found = np.rint(score / STEP).astype(np.int64), []
    for c, name in enumerate(names):
        own = reading.labels == c
        if told := bins(places[own], people[own]):
            edges = [round((place - 0.5) * STEP, 2) for place in told.ends]
            shares = [round(rows / int(own.sum()), 2) for rows in told.rows]
            found.append(ScoreDensity(name=name, edges=edges, shares=shares))
    return found


def log_odds(reading: ClassReading) -> Doubles:
    """Return log-odds in bits, (n,), as if classes were as frequent: of class 1 of two, or of a row's own of more."""
    n, k = reading.log2_posterior.shape
    prior = np.bincount(reading.labels, minlength=k) / n
    likelihood = reading.log2_posterior - np.log2(prior)  # log2, up to a constant of each row
    asked = np.ones(n, dtype=np.int64) if k == 2 else reading.labels
    others = likelihood.copy()
    others[np.arange(n), asked] = -np.inf
    return np.asarray(likelihood[np.arange(n), asked] - np.logaddexp2.reduce(others, axis=1))
