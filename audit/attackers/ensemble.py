"""Join attackers into one that is stronger than each: ensemble selection on the selection rows.

An adversary may ask several models, so the strongest attacker is rarely a single one. Source: Caruana et
al., Ensemble selection from libraries of models, ICML 2004.
"""

from collections.abc import Callable, Sequence

import numpy as np

from audit.bootstrap import Doubles

ROUNDS = 20


def choose_members(answers: Sequence[Doubles], loss: Callable[[Doubles], float]) -> Doubles:
    """Return how much each attacker counts, (attackers,), summing to 1.

    In each round the attacker is added, maybe again, that makes the loss of the mean of the answers lowest.
    """
    counts = np.zeros(len(answers))
    total = np.zeros_like(answers[0])
    for members in range(1, ROUNDS + 1):
        losses = [loss((total + answer) / members) for answer in answers]
        best = int(np.argmin(losses))
        counts[best] += 1
        total = total + answers[best]
    return counts / ROUNDS


def joined(answers: Sequence[Doubles], shares: Doubles) -> Doubles:
    """Return the weighted mean of the attackers' answers; those with no share may be left empty."""
    return np.asarray(sum(share * answer for share, answer in zip(shares, answers, strict=True) if share > 0))
