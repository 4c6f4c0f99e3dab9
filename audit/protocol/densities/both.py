"""The densities of one private attribute: by the strongest attacker's score, and on a map of the features."""

from audit.attackers.attack import Attack
from audit.attackers.scoring import ClassReading
from audit.evidence.densities import Densities
from audit.protocol.densities.map import map_densities
from audit.protocol.densities.scores import score_densities
from audit.protocol.target import Target


def densities(found: Attack, target: Target) -> Densities | None:
    """Return where the test rows of each class lie; None of a quantity, and where every class has too few people."""
    reading, people = found.headline, target.resamples.member
    if not isinstance(reading, ClassReading):
        return None
    names = [one.name for one in target.audited.classes]
    fit, _, test = target.audited.split_labels
    told = Densities(
        scores=score_densities(reading, people, names), map=map_densities(found, (fit, test), people, names)
    )
    return told if told.scores or told.map else None
