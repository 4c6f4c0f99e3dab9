"""Whether a state fits a module, by what the module's own `load_state_dict` says of it, before anything is changed."""

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from audit.errors import first_line

MADE = frozenset({"inv_freq", "attn_mask", "masked_bias", "total_ops", "total_params"})
"""Buffers of floats that a constructor or a profiler makes; no training changes them."""


@dataclass(frozen=True)
class Report:
    """What `load_state_dict` said."""

    missing: tuple[str, ...] = ()
    """Names of the module that the state has not, and that are not tied to one that it has."""
    kept: tuple[str, ...] = ()
    """Of those, buffers that the architecture itself makes, which stay as they are."""
    unexpected: tuple[str, ...] = ()
    """Names of the state that the module does not know."""
    tied: tuple[str, ...] = ()
    """Names of the module that the state has not, because they are another name for a parameter that it has."""
    faults: tuple[str, ...] = ()
    """Why the module did not take it, in its own words or plainer ones."""

    @property
    def fits(self) -> bool:
        """Whether every parameter is there, and the module took it."""
        return not self.missing and not self.faults


def rehearse(module: nn.Module, state: Mapping[str, Tensor]) -> Report:
    """Load a state into a copy of a module without memory for its numbers, and return what was said of it."""
    stand_in = _weightless(module)
    return load(stand_in, state) if stand_in is not None else _tried(module, state)


def load(module: nn.Module, state: Mapping[str, Tensor]) -> Report:
    """Load a state into a module, and return what it said; after a fault some of it may be changed."""
    own = module.state_dict(keep_vars=True)
    faults = _kinds(own, state)
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that numbers do not reach a copy without memory
            said = module.load_state_dict(dict(state), strict=False)
        missing, unexpected = list(said.missing_keys), list(said.unexpected_keys)
    except RuntimeError as error:  # shapes; torch tells each in a line of its own
        lines = [line.strip() for line in str(error).splitlines()[1:]] or [first_line(error)]
        faults += _shapes(own, state) or lines
    except Exception as error:  # load_state_dict may be the user's own
        faults += [f"its load_state_dict raised {type(error).__name__}: {first_line(error)}"]
    given = {id(value) for name, value in own.items() if name not in missing}
    parameters = dict(module.named_parameters(remove_duplicate=False))
    tied = [name for name in missing if name in own and id(own[name]) in given]
    kept = [
        name for name in missing
        if name not in tied and name not in parameters and name in own and is_made(name, own[name])
    ]  # fmt: skip
    lacking = [name for name in missing if name not in tied and name not in kept]
    return Report(tuple(lacking), tuple(kept), tuple(unexpected), tuple(tied), tuple(faults + _untied(own, state)))


def is_made(name: str, value: Tensor) -> bool:
    """Return whether a tensor that is no parameter is made by a constructor, or counts: no figure rests on the file's.

    Whole numbers are positions, indices, masks and counters.
    """
    if is_lazy(value):
        return False
    return not (value.is_floating_point() or value.is_complex()) or name.rpartition(".")[2] in MADE


def _kinds(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """Name floats that the file has as whole or complex numbers: torch would round them, or drop a part."""
    both = [(name, own[name].dtype, state[name].dtype) for name in own if name in state and not is_lazy(own[name])]
    return [
        f"{name} holds {has} in the file and {wants} in the model"
        for name, wants, has in both
        if wants.is_floating_point and not has.is_floating_point
    ]


def _shapes(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    found = [
        f"{name} is {list(state[name].shape)} in the file and {list(own[name].shape)} in the model"
        for name in own
        if name in state and not is_lazy(own[name]) and own[name].shape != state[name].shape
    ]
    return [f"{len(found)} of another shape: {', '.join(found[:3])}{', …' if len(found) > 3 else ''}"] if found else []


def _untied(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """Name parameters that are one in the model and two in the file: the last would win unseen."""
    first: dict[int, str] = {}
    faults = []
    for name, value in own.items():
        if name in state:
            other = first.setdefault(id(value), name)
            same = state[other].shape == state[name].shape and torch.equal(state[other], state[name])
            if other != name and not same:
                faults.append(f"{other} and {name} are one parameter in the model and differ in the file")
    return faults


def _weightless(module: nn.Module) -> nn.Module | None:
    """Return a copy of a module with tensors of the same shapes and no memory; None if it cannot be copied."""
    memo: dict[int, object] = {}
    for inner in module.modules():
        for value in (*inner._parameters.values(), *inner._buffers.values(), *vars(inner).values()):
            if isinstance(value, Tensor) and not is_lazy(value):
                empty = torch.empty_like(value, device="meta")
                memo[id(value)] = nn.Parameter(empty, value.requires_grad) if isinstance(value, nn.Parameter) else empty
    try:
        return copy.deepcopy(module, memo)
    except Exception:  # a lock, an open file, a tensor with a history
        return None


def _tried(module: nn.Module, state: Mapping[str, Tensor]) -> Report:
    """Load a state into a module itself, and put the old one back."""
    was = {name: value.clone() for name, value in module.state_dict().items() if not is_lazy(value)}
    report = load(module, state)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name in was:
                value.copy_(was[name])
    return report
