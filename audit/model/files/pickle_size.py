"""How large the keys and names of a pickle are, from its instructions, none of which is run.

A pickle of forty lines can make a tuple of 2⁴⁰ parts out of references to one, and to use it as a key takes days.
A class that torch refuses it quotes, and searches the quotation in a time that grows with the square of its name.
"""

import pickletools
from typing import IO

MOST_PARTS = 100_000
"""Parts of all tuples within a tuple; that of a tensor has some ten."""
LONGEST_NAME = 1_000
"""Characters of the module and the name of a class."""
TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})


def oversized(file: IO[bytes], pickles: int) -> str | None:
    """Return what one of several pickles in a row has too much of, in words; None if nothing."""
    try:
        for _ in range(pickles):
            if (fact := _oversized(file)) is not None:
                return fact
    except UnicodeDecodeError:  # torch reads these, pickletools does not
        return "a name that is not ASCII"
    except Exception:  # the end of the pickles, or bytes that are none, which their reader tells
        return None
    return None


def _oversized(file: IO[bytes]) -> str | None:
    """Follow the stack of the reader of one pickle, with a size in parts for each value."""
    stack: list[int | None] = []  # None is a mark
    memo: dict[int, int] = {}
    for opcode, argument, _place in pickletools.genops(file):
        name = opcode.name
        if name == "GLOBAL" and len(str(argument)) > LONGEST_NAME:
            return f"the name of a class in {len(str(argument)):,} characters"
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
        if size > MOST_PARTS:
            return "a tuple of endless parts"
        stack += [None if one is pickletools.markobject else size for one in opcode.stack_after]
    return None
