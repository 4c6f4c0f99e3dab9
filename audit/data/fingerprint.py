"""Identity of rows: a SHA-256 of each, exact duplicates among them, and one fingerprint of all."""

import hashlib
from collections.abc import Sequence

import numpy as np

from audit.data.columns import Ints
from audit.data.labelled import LabelledData


def row_digest(content: bytes) -> bytes:
    """Return the SHA-256 of one row's bytes."""
    return hashlib.sha256(content).digest()


def same_rows(digests: Sequence[bytes]) -> Ints:
    """Return a number for each row, (n,), the same for rows of the very same content."""
    return np.unique(np.array(digests, dtype="S32"), return_inverse=True)[1].astype(np.int64)


def fingerprint(data: LabelledData, columns: Sequence[str], digests: Sequence[bytes] = ()) -> str:
    """Return a SHA-256 over the given labels, the groups and the rows' digests, in order."""
    return hashlib.sha256(data.labels_sha256(columns).encode() + b"".join(digests)).hexdigest()
