"""A released model as a program of torch.export, which runs without irene and can be audited at the same layer."""

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from audit.data.model_input import ModelInput, each
from audit.errors import CheckpointError, listed
from audit.model.layers import parse
from audit.model.release import NAME
from audit.model.structure.call import arguments, cast
from audit.model.structure.eval_mode import evaluating
from audit.model.structure.listing import OUTPUT
from audit.model.structure.outputs import plain

STEP = ("val", "tensor_meta", "nn_module_stack")
"""What torch notes of a step that its file needs: shapes, types, and the layer it belongs to."""


def exported(model: nn.Module, x: ModelInput, layer: str, path: Path) -> bytes:
    """Return a program for any number of rows, with nothing of those that were seen, of people or of this machine.

    Args:
        model: In place; its program is that of its eval mode.
        x: A batch of two rows or more, whose shapes and type alone are used.
        layer: Where the release module stands.
        path: Where the program is to be, for the error.

    Raises:
        CheckpointError: torch cannot follow the model.
    """
    content = io.BytesIO()
    hook = model.register_forward_hook(lambda _model, _given, output: plain(output))
    try:
        with _quiet(), evaluating(model), torch.no_grad():
            args, kwargs = arguments(model, cast(model, each(torch.zeros_like, x)))
            rows = torch.export.Dim("rows", min=1)
            shapes: dict[str, object] | tuple[object, ...] = (
                {name: {0: rows} for name in kwargs} if kwargs else tuple(_free(one, rows) for one in args)
            )
            program = torch.export.export(model, args, kwargs, dynamic_shapes=shapes, strict=False)
            _place(program, layer)
            _forget(program)
            torch.export.save(program, content)
    except Exception as error:  # whatever tracing a stranger's model raises
        fact = listed([next(iter(str(error).strip().splitlines()), type(error).__name__)])
        raise CheckpointError(
            f"The weights were written, but torch.export cannot follow the model ({fact}), so there is no program "
            f"{path}. Use the weights with irene, or make the forward pass exportable."
        ) from None
    finally:
        hook.remove()
    return content.getvalue()


def _free(value: object, rows: torch.export.Dim) -> object:
    """Return the shapes of an argument of which the number of rows alone is free."""
    if isinstance(value, Tensor):
        return {0: rows}
    if isinstance(value, Mapping):
        return {name: _free(one, rows) for name, one in value.items()}
    return tuple(_free(one, rows) for one in value) if isinstance(value, tuple) else None


def _place(program: torch.export.ExportedProgram, layer: str) -> None:
    """Record the release module, which a hook calls, as a step before the layer or its last; torch says its first."""
    place = parse(layer)
    behind = place.side == "output" and place.module != OUTPUT  # what the model returns is nobody's step
    for node in _steps(program):
        stack = node.meta.get("nn_module_stack")
        if not stack or not any(_own(name) for name, _ in stack.values()):
            continue
        node.meta["nn_module_stack"] = {
            key: (f"{place.module}.{name}" if _own(name) and behind else name, kind)
            for key, (name, kind) in stack.items()
            if place.side == "output" or not name or _own(name)
        }


def _steps(program: torch.export.ExportedProgram) -> Iterator[torch.fx.Node]:
    """Yield every step, also those that stand in a graph of their own: what runs without autocast does."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            yield from module.graph.nodes


def _forget(program: torch.export.ExportedProgram) -> None:
    """Take out what torch would save beside the steps: the inputs of the trace, lines of source and their folders."""
    program._example_inputs = None
    for node in _steps(program):
        node.meta = {key: value for key, value in node.meta.items() if key in STEP}


def _own(name: str) -> bool:
    return name == NAME or name.startswith(f"{NAME}.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch's warnings and log."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
