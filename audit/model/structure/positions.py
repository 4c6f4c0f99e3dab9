"""Follow the positions of a layer's value to the model's answer, and see what takes them by their places.

A mean over positions shows what a model makes of their mean, or of any function that treats them alike. It hides what
the model takes at one place (a class token, a last step), or by weights of each place (a map that is flattened, a
convolution as large as the map). Operations that mix positions and leave them in place, as convolutions and attention
do, are followed to their end.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from audit.model.structure.flow import Call, Flow, words
from audit.model.structure.passing import MIXED, ROWS, WEIGHS, Held, Passing, passed

ALL = "takes all of it, position by position"
CONSTANTS = "adds or multiplies something of its own at each position"
CREATED = words("new_zeros new_ones new_full new_empty new_tensor zeros_like ones_like full_like empty_like")


@dataclass(frozen=True)
class Taking:
    """How a model takes the positions of a value by their places."""

    what: str
    """For instance "takes position 0 of 64"."""
    number: int
    """Of the tensor that was made of them."""
    pool: str
    """The word of --pool that keeps what the model takes."""
    behind: str = ""
    """The layer that is given what was made of them."""


LEAVES = "; the model gives out every position, and a mean hides what lies beyond it"
"""What a note says of a mean over positions that are a model's own answer."""
UNSEEN = Taking("gives another answer when its positions are moved", -1, "flatten")
UNTRIED = Taking("can neither be followed nor tried behind it", -1, "flatten")


@dataclass(frozen=True)
class Fate:
    """What becomes of the positions of a value."""

    taken: Taking | None
    """How the answer takes them by their places; None if it was not seen to."""
    seen: bool
    """Whether they were followed to the answer by operations that are known here."""
    kept: bool
    """Whether the answer holds the positions themselves, as that of an encoder of tokens does."""


def fate_of(
    flow: Flow, value: Tensor, rows: int, channels: int, inputs: Iterable[Tensor], answers: Sequence[Tensor]
) -> Fate:
    """Follow the positions of a value, all its axes but those of rows and channels, through a pass that was watched.

    Args:
        inputs: What the model was given; what was not made of it are the model's own constants.
        answers: The tensors that count as its answer.
    """
    start = flow.number(value)
    positions = {axis for axis in range(value.ndim) if axis not in (rows, channels) and value.shape[axis] > 1}
    held: dict[int, Held] = {start: tuple(_first(axis, rows, positions) for axis in range(value.ndim))}
    fed = {start, *(flow.number(one) for one in inputs)}
    passing = Passing(held, fed)
    takings: list[Taking] = []
    lost: set[int] = set()
    sources: dict[int, set[int]] = {}
    for call in flow.calls:
        if call.name in CREATED:
            continue  # it took a shape alone
        if call.is_module and (call.number in sources or call.number in call.numbers):
            continue  # its functions were seen
        sources.setdefault(call.number, set()).update(call.numbers)
        if fed.intersection(call.numbers):
            fed.add(call.number)
        if any(_positions(held.get(number, ())) for number in call.numbers):
            found = passed(passing, call)
            if found is None:
                lost.add(call.number)
            else:
                held[call.number] = found
                takings += _takings(passing, call)
    ends = [flow.number(one) for one in answers]
    reach = _ancestors(ends, sources)
    mixed = [Taking(ALL, number, "flatten") for number in ends if any(MIXED in axis for axis in held.get(number, ()))]
    kept = any(_positions(axis for axis in held.get(number, ()) if MIXED not in axis) == positions for number in ends)
    found_takings = [*mixed, *(one for one in takings if one.number in reach)]
    taken = None if kept else next(iter(found_takings), None)
    behind = flow.takers.get(taken.number) if taken else None
    if taken and behind:
        taken = replace(taken, behind=f"{behind}:input")
    return Fate(taken, start in reach and not lost & reach, kept)


def _first(axis: int, rows: int, positions: set[int]) -> frozenset[int]:
    return frozenset({ROWS} if axis == rows else {axis} & positions)


def _positions(held: Iterable[frozenset[int]]) -> set[int]:
    return {one for axis in held for one in axis if one >= 0}


def _ancestors(ends: Sequence[int], sources: Mapping[int, set[int]]) -> set[int]:
    """Return the tensors that some were made of, themselves among them."""
    found, left = set[int](), [*ends]
    while left:
        if (number := left.pop()) not in found:
            found.add(number)
            left += sources.get(number, ())
    return found


def _takings(passing: Passing, call: Call) -> list[Taking]:
    """Return how an operation takes positions by their places, if it does."""
    operands = [axis for number in call.numbers for axis in passing.held.get(number, ())]
    gone = _positions(operands) - _positions(passing.held[call.number])
    if not passing.is_cut and not (gone and (passing.by_place or gone & passing.before)):
        return []
    if passing.by_place == WEIGHS and any(MIXED in axis for axis in operands):
        return [Taking(ALL, call.number, "flatten")]
    return [Taking(passing.by_place or CONSTANTS, call.number, passing.pool)]
