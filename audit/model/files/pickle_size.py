"""How large the keys of a pickle are, from its instructions, none of which is run.

A pickle of forty lines can make a tuple of 2⁴⁰ parts out of references to one, and to use it as a key takes days.
"""

import pickletools
from typing import IO

MOST_PARTS = 100_000
"""Parts of all tuples within a tuple; that of a tensor has some ten."""
TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})


def has_endless_tuple(file: IO[bytes], pickles: int) -> bool:
    """Return whether a tuple of one of several pickles in a row has more than MOST_PARTS parts."""
    try:
        return any(_largest(file) > MOST_PARTS for _ in range(pickles))
    except Exception:  # the end of the pickles, or bytes that are none, which their reader tells
        return False


def _largest(file: IO[bytes]) -> int:
    """Return the parts of the largest tuple of one pickle, by the stack of its reader with a size for each value."""
    stack: list[int | None] = []  # None is a mark
    memo: dict[int, int] = {}
    largest = 0
    for opcode, argument, _place in pickletools.genops(file):
        name = opcode.name
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[argument if isinstance(argument, int) else len(memo)] = stack[-1] or 1
            continue
        if name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument if isinstance(argument, int) else 0])
            continue
        taken: list[int | None] = []
        before = opcode.stack_before
        if pickletools.markobject in before:
            while (one := stack.pop()) is not None:
                taken.append(one)
            before = before[: before.index(pickletools.markobject)]
        taken += [stack.pop() for _ in before]
        size = 1 + sum(one or 0 for one in taken) if name in TUPLES else 1
        largest = max(largest, size)
        if largest > MOST_PARTS:
            return largest
        stack += [None if one is pickletools.markobject else size for one in opcode.stack_after]
    return largest
