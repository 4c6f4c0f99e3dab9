"""Run a model in eval mode, and leave every module in the mode in which it was found."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from audit.errors import BottleneckError


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every module in eval mode for a block, and each back into its own mode after it."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def require_evaluating(model: nn.Module) -> None:
    """Raise a BottleneckError if a module is in train mode after a pass inside `evaluating`: the model put it there."""
    switched = next((name for name, module in model.named_modules() if module.training), None)
    if switched is not None:
        raise BottleneckError(
            f"The model puts {repr(switched) if switched else 'itself'} in train mode during its forward pass, so what "
            "a row gives depends on chance and on the rows beside it. Take that out of its forward()."
        )
