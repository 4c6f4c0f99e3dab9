"""Tokens that look like padding although nobody says so: at the ends of rows alone, in runs of unlike lengths."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from audit.errors import DataError

Tokens = NDArray[np.int64]


class Ends:
    """The tokens at the ends of the rows so far."""

    def __init__(self) -> None:
        self._rows = 0
        self._total: Counter[int] = Counter()
        self._runs: tuple[dict[int, Counter[int]], dict[int, Counter[int]]] = ({}, {})

    def add(self, x: Tensor) -> None:
        """Look at more rows of tokens, (b, t)."""
        tokens: Tokens = x.cpu().numpy().astype(np.int64)
        self._rows += len(tokens)
        values, counts = np.unique(tokens, return_counts=True)
        self._total.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        for side, seen in zip((tokens, tokens[:, ::-1]), self._runs, strict=True):
            lengths = np.cumprod(side == side[:, :1], axis=1).sum(axis=1)
            for token, length in zip(side[:, 0].tolist(), lengths.tolist(), strict=True):
                seen.setdefault(token, Counter())[length] += 1

    def join(self, other: "Ends") -> None:
        """Add what was seen of other rows."""
        self._rows += other._rows
        self._total.update(other._total)
        for mine, theirs in zip(self._runs, other._runs, strict=True):
            for token, runs in theirs.items():
                mine.setdefault(token, Counter()).update(runs)

    def require_text(self) -> None:
        """Raise a DataError if a token looks like padding, and nobody says whether it is."""
        token = self.suspect()
        if token is not None:
            raise DataError(
                f"Token {token} is only at the ends of rows, in runs of unlike lengths: it looks like padding, which "
                f"would be averaged into every text. Say --padding {token}, or --padding none if it is text."
            )

    def suspect(self) -> int | None:
        """Return a token that is only at the start or only at the end of rows, in runs of unlike lengths, if any is."""
        for seen in self._runs:
            for token, runs in seen.items():
                rows = runs.total()
                unlike = len(runs) > 1 or rows < self._rows
                everywhere = sum(length * count for length, count in runs.items())
                if rows > 1 and unlike and max(runs) > 1 and everywhere == self._total[token]:
                    return token
        return None
