"""Upper bound on any attacker of a discrete representation, estimated from counts: no attacker is trained.

If a bottleneck gives few distinct vectors, the best attacker is a table: for each vector its most likely class. The
table of all audited rows bounds every attacker, because the model saw none of these rows:

- Balanced accuracy. The best table's share, Σ max_v p(c|v) / k, is convex in the shares p, so the one that is counted
  is expected no lower than the true one; one group changes it by at most its own weight (McDiarmid 1989).
- Bits. I(c; v) ≤ Σ_v p(v) KL(p(c|v) ‖ q) for any distribution q (q is the mean of the counted shares), and each cell
  of it is convex, so it is largest at an end of that cell's interval (Clopper and Pearson 1934, with a union bound).

Groups are taken for independent of each other and their own rows for copies, the worst that they can be.

Who has m releases of one person reads more. The total variation TV between the two classes of a binary attribute is
2 · (balanced accuracy) − 1 at most, and that of m releases is no larger than 1 − (1 − TV)^m: with that chance at least
one of m coupled pairs differs. This presumes releases that are independent of each other given the attribute. Several
photographs of a person that resemble each other beyond the attribute may tell more than it says.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from audit.data.columns import Ints
from audit.data.on_disk import AT_ONCE, blocks
from audit.evidence.findings import MOST_CODES, ROWS_PER_CODE, Certificate, SeveralReleases
from audit.evidence.verdict import CONFIDENCE

RELEASES = (5, 20)
"""Of one person, that are bounded beside a single one."""


def cells(z: NDArray[np.generic]) -> Ints | None:
    """Return which distinct vector each row of z, (n, d), is, (n,); None where there are too many to count."""
    seen: dict[bytes, int] = {}
    codes: list[int] = []
    for block in blocks(z, AT_ONCE):
        for row in np.ascontiguousarray(block):
            codes.append(seen.setdefault(row.tobytes(), len(seen)))
            if len(seen) > MOST_CODES:
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
    most = float(min(1.0, shares.max(axis=0).sum() / k + spread))
    return Certificate(
        rows=len(v),
        codes=words,
        independent=[float(count) for count in independent],
        balanced_accuracy=most,
        bits=_bits(shares, rows / len(v), independent),
        confidence=CONFIDENCE,
        several=[SeveralReleases(releases=m, balanced_accuracy=of_releases(most, m)) for m in RELEASES]
        if k == 2
        else [],
    )


def of_releases(most: float, m: int) -> float:
    """Bound the balanced accuracy on two classes from m independent releases by that from one, `most` in [.5, 1]."""
    apart = 1 - (2 - 2 * max(most, 0.5)) ** m  # 1 − TV is 2 − 2 · balanced accuracy
    return (1 + apart) / 2


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
