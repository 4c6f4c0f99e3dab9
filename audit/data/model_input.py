"""What a model takes, for one row or for a batch: a tensor, a tuple of tensors, or a mapping of tensors by name.

A tuple is handed to the model in the order of its arguments, a mapping by their names.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeGuard

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from audit.data.columns import Ints
from audit.errors import DataError

ModelInput = Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]
PLAIN = frozenset({
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool,
})  # fmt: skip
"""Numbers that NumPy knows, or that are seen as such (bfloat16)."""


def is_input(value: object) -> TypeGuard[ModelInput]:
    """Return whether a value is a tensor, a tuple of tensors, or a mapping of tensors by name; none is empty."""
    if isinstance(value, Mapping):
        return bool(value) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())
    if isinstance(value, tuple | list):
        return bool(value) and all(isinstance(one, Tensor) for one in value)
    return isinstance(value, Tensor)


PLAINLY = {
    "nested": "x.to_padded_tensor(0)",
    "sparse": "x.to_dense()",
    "quantised": "x.dequantize()",
    "complex": "torch.view_as_real(x)",
    "on no device": "a pass on the CPU",
}
"""What makes plain numbers of a tensor that is odd."""


def odd(x: Tensor) -> str | None:
    """Return what a tensor is, in a word, if it holds no numbers side by side that NumPy knows; else None."""
    if x.dtype in PLAIN and x.layout == torch.strided and not (x.is_nested or x.is_meta):
        return None  # of every row, so that this is asked first
    kinds = {"nested": x.is_nested, "sparse": x.layout != torch.strided, "quantised": x.is_quantized}
    kinds |= {"complex": x.is_complex(), "on no device": x.is_meta}
    kinds[str(x.dtype)] = x.is_floating_point() and x.dtype.itemsize < 2
    return next((kind for kind, holds in kinds.items() if holds), None)


def parts(x: ModelInput) -> dict[str, Tensor]:
    """Return the tensors of an input by name: the keys of a mapping, the places of a tuple, "" for a tensor alone."""
    if isinstance(x, Tensor):
        return {"": x}
    return dict(x) if isinstance(x, Mapping) else {str(place): one for place, one in enumerate(x)}


def each(change: Callable[[Tensor], Tensor], x: ModelInput) -> ModelInput:
    """Return the same kind of input with every tensor changed."""
    if isinstance(x, Tensor):
        return change(x)
    if isinstance(x, Mapping):
        return {name: change(one) for name, one in x.items()}
    return tuple(change(one) for one in x)


def rows_of(x: ModelInput) -> int:
    """Return b of a batch, (b, …) each."""
    return len(next(iter(parts(x).values())))


def sizes(x: ModelInput) -> str:
    """Return the shape of each tensor of one row or of a batch, in words."""
    return ", ".join(f"{name}: {[*one.shape]}" if name else str([*one.shape]) for name, one in parts(x).items())


def take(x: ModelInput, rows: Ints) -> ModelInput:
    """Return some rows of a batch, in order."""
    return each(lambda one: one[torch.as_tensor(rows, device=one.device)], x)


def split(x: ModelInput, size: int) -> list[ModelInput]:
    """Cut a batch into batches of so many rows; the last one may have fewer."""
    starts = range(0, rows_of(x), size)
    return [each(lambda one, start=start: one[start : start + size], x) for start in starts]  # type: ignore[misc]


def to(x: ModelInput, device: torch.device) -> ModelInput:
    """Return a batch on a device."""
    return each(lambda one: one.to(device, non_blocking=True), x)


def one_row(x: object) -> ModelInput:
    """Return the input of one row as it is; raise a DataError for what is none."""
    if isinstance(x, Tensor) and odd(x) is None:
        return x
    if not is_input(x):
        raise DataError(
            f"An input is a {type(x).__name__}. Give a tensor, a tuple of tensors in the order of the model's "
            "arguments, or a mapping of tensors by the names of these."
        )
    for one in parts(x).values():
        if kind := odd(one):
            way = PLAINLY.get(kind, "x.float()")
            raise DataError(f"An input is a tensor that is {kind}. Give plain numbers, as {way} makes them.")
    return tuple(x) if isinstance(x, list) else x


def stacked(found: Sequence[ModelInput]) -> ModelInput:
    """Return inputs of rows as a batch, (b, …) each; raise a DataError if they are unlike one another."""
    shapes = {x.shape if isinstance(x, Tensor) else None for x in found}
    if len(shapes) > 1 or None in shapes:
        _require_alike(found)
    batch = default_collate(list(found))
    return tuple(batch) if isinstance(batch, list) else batch


def _require_alike(found: Sequence[ModelInput]) -> None:
    shapes = list(dict.fromkeys(sizes(x) for x in found))
    if len(shapes) > 1:
        raise DataError(f"Inputs have unlike shapes: {' and '.join(sorted(shapes)[:2])}. Resize, or pad to one length.")


def digest(x: ModelInput) -> bytes:
    """Return the SHA-256 over one row's numbers, and over the names of its tensors where it has several."""
    if isinstance(x, Tensor):
        return hashlib.sha256(_bytes(x)).digest()
    found = hashlib.sha256()
    for name, one in parts(x).items():
        found.update(f"{name}\0{[*one.shape]}\0".encode() + _bytes(one))
    return found.digest()


def digests(x: ModelInput) -> list[bytes]:
    """Return the digest of each row of a batch."""
    if isinstance(x, Tensor) and x.dtype != torch.bfloat16:
        return [hashlib.sha256(row.tobytes()).digest() for row in x.numpy()]
    return [digest(each(lambda one, row=row: one[row], x)) for row in range(rows_of(x))]  # type: ignore[misc]


def flat(x: ModelInput) -> Tensor:
    """Return a batch as one row of numbers each, (b, d)."""
    return torch.cat([one.reshape(len(one), -1).float() for one in parts(x).values()], dim=1)


def _bytes(x: Tensor) -> bytes:
    if x.dtype == torch.bfloat16:  # NumPy has none
        return bytes(x.contiguous().view(torch.uint8).numpy().tobytes())
    return bytes(np.ascontiguousarray(x.numpy()).tobytes())
