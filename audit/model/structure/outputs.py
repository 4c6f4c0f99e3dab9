"""Find the scores of a task among what a model returns: a tensor, or a part of tuples, mappings and data classes."""

import dataclasses
from collections.abc import Iterator, Mapping

from torch import Tensor

from audit.data.model_input import odd
from audit.errors import DataError

DEEPEST = 4
"""Values within values that are looked into."""


def picked(output: object, name: str | None) -> object:
    """Return the part of a model's output that `name` points to, or all of it for None.

    Args:
        name: Keys, fields and places, with dots between them: `logits`, `heads.smile`, `1`; a number behind a tensor,
            (n, k), is a column of it: `31` is the output of one label among forty.

    Raises:
        DataError: There is no such part.
    """
    for part in name.split(".") if name else ():
        known = dict(_within(output))
        if part in known:
            output = known[part]
        elif isinstance(output, Tensor) and output.ndim == 2 and part.isdecimal() and int(part) < output.shape[1]:
            output = output[:, int(part)]
        else:
            shape = f" of shape {[*output.shape]}" if isinstance(output, Tensor) else ""
            has = f"; it has {', '.join(known)}" if known else ""
            raise DataError(
                f"--model-output {name}: there is no {part!r} in a {type(output).__name__}{shape}{has}. Name a key, a "
                "field, a place, or a column of a tensor (n, k)."
            )
    if isinstance(output, Tensor) and (kind := odd(output)):
        raise DataError(
            f"The model returns a tensor that is {kind}, and scores are plain numbers. Make it return such."
        )
    return output


def tensors(output: object, path: str = "", depth: int = DEEPEST) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in a model's output with the name that `picked` knows them by; "" for one that is all of it."""
    if isinstance(output, Tensor):
        yield path, output
    elif depth:
        seen = set()
        for key, value in _within(output):
            if id(value) not in seen:
                seen.add(id(value))
                yield from tensors(value, f"{path}.{key}" if path else key, depth - 1)


def plain(output: object) -> object:
    """Return a model's output in tuples and mappings of Python's own, which a program can hold: without its classes."""
    if isinstance(output, tuple | list):
        return tuple(plain(one) for one in output)
    return output if isinstance(output, Tensor) else {name: plain(one) for name, one in _within(output)} or output


def _within(output: object) -> Iterator[tuple[str, object]]:
    """Yield the parts of a value by name; the fields of a named tuple by name and by place."""
    if isinstance(output, Mapping):
        yield from ((str(key), value) for key, value in output.items())
    elif isinstance(output, tuple | list):
        yield from zip(getattr(output, "_fields", ()), output, strict=False)
        yield from ((str(place), value) for place, value in enumerate(output))
    elif dataclasses.is_dataclass(output) and not isinstance(output, type):
        yield from ((field.name, getattr(output, field.name)) for field in dataclasses.fields(output))
