"""Upper bound on any attacker of a discrete representation, estimated from counts: no attacker is trained.

If a bottleneck gives few distinct vectors, the best attacker is a table: for each vector its most likely class. The
table of all audited rows bounds every attacker, because the model saw none of these rows:

- Balanced accuracy. The best table's share, Σ max_v p(c|v) / k, is convex in the shares p, so the one that is counted
  is expected no lower than the true one; one group changes it by at most its own weight (McDiarmid 1989).
- Bits. I(c; v) ≤ Σ_v p(v) KL(p(c|v) ‖ q) for any distribution q (q is the mean of the counted shares), and each cell
  of it is convex, so it is largest at an end of that cell's interval (Clopper and Pearson 1934, with a union bound).

Groups are taken for independent of each other and their own rows for copies, the worst that they can be.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from audit.data.columns import Ints
from audit.data.on_disk import AT_ONCE, blocks
from audit.evidence.findings import Certificate
from audit.evidence.verdict import CONFIDENCE

LARGEST = 1024
"""More distinct vectors than this are no finite code that could be counted."""
ROWS_PER_CODE = 4
"""Fewer rows than this for each vector bound nothing."""


def cells(z: NDArray[np.generic]) -> Ints | None:
    """Return which distinct vector each row of z, (n, d), is, (n,); None where there are too many to count."""
    seen: dict[bytes, int] = {}
    codes: list[int] = []
    for block in blocks(z, AT_ONCE):
        for row in np.ascontiguousarray(block):
            codes.append(seen.setdefault(row.tobytes(), len(seen)))
            if len(seen) > LARGEST:
                return None
    return np.array(codes, dtype=np.int64) if len(codes) >= ROWS_PER_CODE * len(seen) else None


def certify(code: Ints, v: Ints, groups: Ints) -> Certificate:
    """Bound what any attacker can read from a code of rows that the model was not made from.

    Args:
        code: Which vector each row is, (n,), in 0 … K − 1.
        v: Class of each row, (n,), in 0 … k − 1; each is there.
        groups: Group of each row, (n,).
    """
    k, words = int(v.max()) + 1, int(code.max()) + 1
    rows = np.bincount(v, minlength=k)  # (k,)
    counts = np.bincount(v * words + code, minlength=k * words).reshape(k, words)
    shares = counts / rows[:, None]
    member = np.unique(groups, return_inverse=True)[1]
    of_group = np.bincount(member * k + v, minlength=(member.max() + 1) * k).reshape(-1, k) / rows  # (groups, k)
    spread = np.sqrt(np.log(1 / (1 - CONFIDENCE)) / 2 * ((of_group.sum(axis=1) / k) ** 2).sum())
    independent = 1 / (of_group**2).sum(axis=0)  # rows of each class, as many as if each were a group
    read = shares.max(axis=0).sum() / k
    return Certificate(
        rows=len(v),
        codes=words,
        independent=[float(count) for count in independent],
        balanced_accuracy=float(min(1.0, read + spread)),
        bits=_bits(shares, rows / len(v), independent),
        confidence=CONFIDENCE,
    )


def _bits(shares: NDArray[np.float64], prior: NDArray[np.float64], rows: NDArray[np.float64]) -> float:
    """Bound I(c; v) from counted shares p(c|v), (k, K), each of so many independent rows, (k,)."""
    k = len(shares)
    wide = np.concatenate([shares, np.zeros((k, 1))], axis=1)  # the last cell: any vector that was not seen
    tail = (1 - CONFIDENCE) / (2 * wide.size)
    hits, misses = wide * rows[:, None], (1 - wide) * rows[:, None]
    low = np.where(hits > 0, beta.ppf(tail, hits, misses + 1), 0.0)
    high = np.where(misses > 0, beta.ppf(1 - tail, hits + 1, misses), 1.0)
    mean = prior @ wide + 1 / (2 * rows.sum())
    mean /= mean.sum()

    def divergence(p: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.where(p > 0, p * np.log(np.maximum(p, 1e-300) / mean), 0.0) - p + mean)

    worst = np.maximum(divergence(low), divergence(high))
    unseen = float(prior @ high[:, -1]) * np.log2(k)  # such a vector may tell all there is
    entropy = float(-(prior * np.log2(prior)).sum())
    return float(min(entropy, (prior @ worst).sum() / np.log(2) + unseen))
