"""What a model computes with and no file holds: buffers that are not kept, and tensors that are plain attributes.

A factory that draws such numbers by chance makes another network each time, with the very same weights.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Number

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from audit.errors import CheckpointError, listed

DEEP = 4
"""Lists, mappings and objects inside each other that are looked into."""
Values = Mapping[str, Tensor | NDArray[np.generic]]


def require_settled(model: nn.Module, build: Callable[[], nn.Module], architecture: str) -> None:
    """Raise a CheckpointError if a factory draws numbers by chance that no state_dict holds.

    It is asked for a second model where there are such numbers, and for two more if they differ, in which memory that
    nobody filled is filled: that differs, too, and says nothing.
    """
    if not (first := _outside(model)):
        return
    with _chances(1):
        differ = _differing(first, _outside(build()))
    if not differ:
        return
    pair = []
    for seed in (2, 3):
        with _chances(seed), _filled():
            pair.append(_outside(build()))
    if drawn := [name for name in _differing(*pair) if name in differ]:
        raise CheckpointError(
            f"{architecture} draws {listed(drawn, 3)} by chance, which no state_dict holds: each time it is built, "
            "the same weights make another network. Keep them by register_buffer and save the model again, or fix "
            "the seed in what builds it."
        )


def _outside(model: nn.Module) -> Values:
    """Return by its dotted name what a module holds beside its state; views of its state are no such thing."""
    unkept = {id(one._buffers[name]) for one in model.modules() for name in one._non_persistent_buffers_set}
    state = {_storage(value) for value in (*model.parameters(), *model.buffers()) if id(value) not in unkept}
    found: dict[str, Tensor | NDArray[np.generic]] = {}
    for place, inner in model.named_modules():
        own = {name: inner._buffers[name] for name in inner._non_persistent_buffers_set}
        for name, value in _numbers({**own, **_plain(inner)}, DEEP):
            if not (isinstance(value, Tensor) and _storage(value) in state):
                found[f"{place}.{name}".lstrip(".")] = value
    return found


def _plain(module: nn.Module) -> Mapping[str, object]:
    """Return a module's plain attributes, but those that torch's own modules keep, or make anew of their parameters.

    Such is the `weight` that torch.nn.utils.weight_norm makes of `weight_g` and `weight_v`.
    """
    if type(module).__module__.startswith("torch."):
        return {}
    made = {known.rpartition("_")[0] for known in module._parameters}
    return {name: value for name, value in vars(module).items() if name not in vars(_BARE) and name not in made}


def _storage(value: Tensor) -> int:
    """Return where a tensor's numbers lie; 0 if it has none of its own."""
    return value.untyped_storage().data_ptr() if _is_filled(value) else 0


def _is_filled(value: Tensor) -> bool:
    return not is_lazy(value) and not value.is_meta and value.layout == torch.strided and value.numel() > 0


def _numbers(value: object, deep: int) -> Iterator[tuple[str, Tensor | NDArray[np.generic]]]:
    """Yield the tensors and arrays in a value, and lists of numbers as arrays, by their dotted names."""
    inside: Mapping[str, object] = {}
    if isinstance(value, list | tuple) and value and all(isinstance(one, Number) for one in value):
        value = np.array(value)
    if isinstance(value, Tensor):
        if _is_filled(value):
            yield "", value
    elif isinstance(value, np.ndarray):
        if value.dtype.kind in "biufc":
            yield "", value
    elif isinstance(value, nn.Module):  # one in a plain list, which no state_dict knows of
        inside = {**dict(value.named_parameters()), **dict(value.named_buffers())}
    elif isinstance(value, Mapping):
        inside = {str(key): one for key, one in value.items()}
    elif isinstance(value, list | tuple):
        inside = {str(place): one for place, one in enumerate(value)}
    elif not callable(value):
        inside = getattr(value, "__dict__", {})
    for key, one in inside.items() if deep else ():
        for name, held in _numbers(one, deep - 1):
            yield f"{key}.{name}".rstrip("."), held


def _differing(one: Values, other: Values) -> Sequence[str]:
    return [name for name, value in one.items() if name in other and not _same(value, other[name])]


def _same(one: Tensor | NDArray[np.generic], other: Tensor | NDArray[np.generic]) -> bool:
    if type(one) is not type(other) or one.shape != other.shape:
        return False
    a, b = (np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value) for value in (one, other))
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))


@contextmanager
def _chances(seed: int) -> Iterator[None]:
    """Draw from other seeds for a block, and put every generator back."""
    others = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            random.setstate(others[0])
            np.random.set_state(others[1])


@contextmanager
def _filled() -> Iterator[None]:
    """Let memory that nobody fills hold NaN, or the largest number, for a block."""
    was = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was[0], warn_only=was[1])


_BARE = nn.Module()
"""Whose attributes every module has."""
