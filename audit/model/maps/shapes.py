"""What the tensors of a map have to be, and stay: they may come out of a stranger's checkpoint."""

from collections.abc import Callable, Collection, Mapping
from typing import Self

import torch
from torch import Tensor, nn

from audit.errors import BottleneckError


class InFloat32(nn.Module):
    """A module that goes where its model goes, and stays in float32 where that goes to halves: words are near in it."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        def moved(part: Tensor) -> Tensor:
            made = fn(part)
            return made if made.dtype == part.dtype else part.to(made.device)

        super()._apply(moved, recurse)  # type: ignore[no-untyped-call]
        return self


def require_shapes(axes: Mapping[str, str], parts: Mapping[str, Tensor], *, whole: Collection[str] = ()) -> None:
    """Raise a BottleneckError for parts of a map that cannot be used together.

    Args:
        axes: By part, the names of its axes with blanks between; axes of one name are of one length, and one may
            be 0 if its name ends in `?`.
        parts: float32 each, but those in `whole`, which are int64.
    """
    lengths: dict[str, tuple[int, str]] = {}
    for name, said in axes.items():
        part, wanted, named = parts[name], torch.int64 if name in whole else torch.float32, said.split()
        if part.dtype != wanted:
            raise BottleneckError(f"{name} is {_of(part.dtype)}, and has to be {_of(wanted)}")
        is_empty = any(not length and axis[-1] != "?" for axis, length in zip(named, part.shape, strict=False))
        if part.ndim != len(named) or is_empty:
            raise BottleneckError(f"{name} is {tuple(part.shape)}, and has to be ({', '.join(named)})")
        for axis, length in zip(named, part.shape, strict=True):
            known, first = lengths.setdefault(axis, (length, name))
            if known != length:
                raise BottleneckError(
                    f"{name} is {tuple(part.shape)}, which does not go with {first}, {tuple(parts[first].shape)}: "
                    f"{axis} is {length} in one and {known} in the other"
                )


def _of(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")
