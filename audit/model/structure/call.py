"""Call somebody's model on a batch: by its arguments, in its own type of floats, its errors told in one line."""

import inspect
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from audit.data.model_input import ModelInput, each
from audit.errors import DataError
from audit.plugins import users_code

LABELS = frozenset(
    {"label", "labels", "label_ids", "target", "targets", "y", "y_true", "truth", "start_positions", "end_positions"}
    | {"next_sentence_label", "sentence_order_label"}
)
"""Arguments of a forward() that computes a loss, too."""


def call(model: nn.Module, x: ModelInput, signature: nn.Module | None = None) -> object:
    """Return what a model makes of a batch, (b, …).

    Args:
        x: On the model's device; see audit.data.model_input. Its floats are cast to the model's.
        signature: The module whose arguments count, where `model` wraps it.

    Raises:
        DataError: The model takes no arguments of such names or as many, or its code raises.
    """
    args, named = arguments(signature or model, cast(model, x))
    with users_code("The model", DataError), _as_written():
        return model(*args, **named)


def _as_written() -> AbstractContextManager[object]:
    """Run what torch.compile compiled as it was written, for a block: a compiler would trace the taps on its layers."""
    if "torch._dynamo" not in sys.modules:  # nothing was compiled, and its import takes seconds
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


def arguments(model: nn.Module, x: ModelInput) -> tuple[tuple[object, ...], dict[str, Tensor]]:
    """Return how a batch is handed to a model: by place, and by name.

    A tensor goes by place, or by name to a model that takes one argument, and that by name. A mapping goes by the names
    of the model's arguments, or is its only argument, if that has none of these names. So is a tuple the only argument
    of a model that takes one.
    """
    taken = _parameters(model)
    if isinstance(x, Tensor):
        alone = [one.name for one in taken or () if one.kind is one.KEYWORD_ONLY and one.default is one.empty]
        by_name = len(alone) == 1 and all(one.kind in (one.KEYWORD_ONLY, one.VAR_KEYWORD) for one in taken or ())
        return ((), {alone[0]: x}) if by_name else ((x,), {})
    if taken is None:
        return ((), dict(x)) if isinstance(x, Mapping) else (x, {})
    required = [one.name for one in taken if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD]
    if isinstance(x, Mapping):
        names = {one.name for one in taken if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
        if x.keys() <= names or any(one.kind is one.VAR_KEYWORD for one in taken):
            return (), dict(x)
        if len(required) == 1 and not x.keys() & names:
            return (dict(x),), {}
        unknown = [name for name in x if name not in names]
        raise DataError(
            f"The rows have {', '.join(x)}, and the model's forward() takes {', '.join(sorted(names)) or 'nothing'}. "
            f"Give rows without {', '.join(unknown)}, or with the model's own names."
        )
    places = [one for one in taken if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if len(places) >= len(x) or any(one.kind is one.VAR_POSITIONAL for one in taken):
        return x, {}
    if len(places) == 1:
        return (x,), {}
    raise DataError(
        f"Each row has {len(x)} tensors, and the model's forward() takes {len(places)}: "
        f"{', '.join(one.name for one in places)}. Give as many, or a mapping by name."
    )


def named(model: nn.Module, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, object]:
    """Return what a model was given by place, and by the names of its arguments, as far as these are known."""
    if len(args) == 1 and isinstance(args[0], Mapping):
        return dict(args[0])
    names = [one.name for one in _parameters(model) or () if one.kind is one.POSITIONAL_OR_KEYWORD]
    by_place = {str(place): one for place, one in enumerate(args)}
    return by_place | dict(zip(names, args, strict=False)) | dict(kwargs)


def takes(model: nn.Module, part: str | int) -> str | None:
    """Return the argument that a model takes a part of a row by, its key or its place; None if by none, or as a label.

    What a loss is computed with is no input.
    """
    held = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = [one for one in _parameters(model) or () if one.kind in held or one.kind is one.KEYWORD_ONLY]
    places = [one.name for one in taken if one.kind in held]
    name = part if isinstance(part, str) else places[part] if part < len(places) else None
    known = {one.name for one in taken if one.kind is not one.POSITIONAL_ONLY or isinstance(part, int)}
    return name if name in known and name not in LABELS else None


def required(model: nn.Module) -> list[str]:
    """Return the names of what a model's forward() cannot do without, as far as they are known."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one.name for one in _parameters(model) or () if one.default is one.empty and one.kind not in variable]


def cast(model: nn.Module, x: ModelInput) -> ModelInput:
    """Return a batch whose floats are of the type of the model's first weights that are floats."""
    kind = next((one.dtype for one in model.parameters() if one.is_floating_point()), None)
    if kind is None or kind.itemsize < 2:  # weights of 8 bits are unfolded as they are used
        return x
    return each(lambda one: one.to(kind) if one.is_floating_point() else one, x)


def _parameters(model: nn.Module) -> list[inspect.Parameter] | None:
    """Return what a model's forward() takes; None where it cannot be known, as of a program."""
    if isinstance(model, torch.jit.ScriptModule):
        return None
    try:
        return [*inspect.signature(model.forward).parameters.values()]
    except (TypeError, ValueError):
        return None
