"""Outputs of many rows that fall from one to the next, as the thresholds between ordered classes do."""

from torch import Tensor

from audit.data.class_order import in_words
from audit.model.structure.scores import Answer, Scores


class Thresholds:
    """What is seen of the outputs so far: thresholds that are out of order, or class scores that look like them."""

    def __init__(self, kind: Scores) -> None:
        self.kind = kind
        """Whether the model's thresholds are logits or probabilities."""
        self.rows = 0
        self._rising = self._flat = 0
        self._low, self._high = float("inf"), float("-inf")

    def add(self, found: Tensor) -> None:
        """Look at more rows of what was read of the outputs, (b, k)."""
        steps = found.float().diff(dim=1)
        self.rows += len(found)
        self._rising += int((steps > 0).any(dim=1).sum())
        self._flat += int((steps == 0).any(dim=1).sum())
        self._low, self._high = min(self._low, float(found.min())), max(self._high, float(found.max()))

    def join(self, other: "Thresholds") -> None:
        """Add what was seen of other rows."""
        self.rows += other.rows
        self._rising += other._rising
        self._flat += other._flat
        self._low, self._high = min(self._low, other._low), max(self._high, other._high)

    def told(self, answer: Answer) -> list[str]:
        """Return what is to be said of them; raise a DataError if thresholds may be probabilities."""
        names = [*(answer.classes or ())]
        if not answer.is_ordinal:
            if self._rising or self._flat or answer.scores:
                return []
            return [
                f"the model's outputs for {answer.task!r} fall from one to the next in every row, as thresholds "
                "between ordered classes do; if they are that, say --scores ordinal, and all classes by --task-classes"
            ]
        if self.kind == "logits":
            answer.require_logits(self._low, self._high)
        passed = "above 0.5, since a sigmoid makes them" if self.kind == "probabilities" else "above 0"
        told = [
            f"the model's outputs were taken for thresholds between the classes {in_words(names)} of {answer.task!r}, "
            f"in this order, as was said: the class is that of as many as are {passed}"
        ]
        if not self._rising:
            return told
        share = f"{100 * self._rising / self.rows:.2g} %"
        return [
            *told,
            f"in {share} of the rows a threshold of {answer.task!r} is higher than one before it, which cannot be of "
            "one order of the classes; how many are passed was counted there, too",
        ]
