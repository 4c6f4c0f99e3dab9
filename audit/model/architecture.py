"""Build an untrained model from the name of its architecture; nothing is downloaded."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import nn

from audit.errors import CheckpointError, UnknownNameError, in_one_line
from audit.model.huggingface import PREFIX, build_untrained
from audit.plugins import call, resolve, users_code

ARCHITECTURES = {
    "biased-mnist": "audit.model.example_networks:biased_mnist",
    "small-convnet": "audit.model.example_networks:small_convnet",
}
TIMM = "timm:"
WAYS = "--arch torchvision.models:resnet18, timm:NAME, hf:FOLDER, package.module:factory or file.py:factory"


def build(architecture: str, arguments: Mapping[str, object]) -> nn.Module:
    """Build an untrained model from an `--arch` and its factory's arguments, for instance `num_classes`.

    Raises UnknownNameError if there is no such architecture; CheckpointError if it refuses the arguments, or is none.
    """
    if architecture.startswith(PREFIX):
        return build_untrained(architecture.removeprefix(PREFIX), arguments)
    timm = architecture.startswith(TIMM)
    factory = _timm(architecture, arguments) if timm else resolve(architecture, "architecture", ARCHITECTURES)
    with users_code(architecture, CheckpointError):
        try:
            module = call(factory, arguments, architecture)
        except (TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"{architecture} cannot be built with {dict(arguments)}: {in_one_line(error)}. "
                "Give its arguments by --arch-arg."
            ) from None
    if not isinstance(module, nn.Module):
        raise CheckpointError(
            f"{architecture} gave a {type(module).__name__}, not a torch.nn.Module. "
            "Name a class or a function that returns one."
        )
    return module


def in_words(architecture: str, arguments: Mapping[str, object]) -> str:
    """Return the architecture with its arguments, as the evidence keeps it."""
    inside = ", ".join(f"{key}={value!r}" for key, value in sorted(arguments.items()))
    if architecture.startswith(PREFIX) and Path(name := architecture.removeprefix(PREFIX)).is_dir():
        architecture = PREFIX + Path(name).resolve().name
    return f"{architecture}({inside})"


def _timm(architecture: str, arguments: Mapping[str, object]) -> Callable[..., object]:
    """Return the factory of a timm model; its weights are the file's, so nothing is downloaded."""
    try:
        import timm  # noqa: PLC0415 - an extra that not everyone installs
    except ModuleNotFoundError:
        raise CheckpointError(
            f"{architecture} needs timm, which is not installed. Install it: pip install 'irene-audit[timm]'."
        ) from None
    name = architecture.removeprefix(TIMM)
    if not timm.is_model(name):
        raise UnknownNameError("timm model", name, timm.list_models())
    if any(one.startswith("pretrained") or one == "checkpoint_path" for one in arguments):
        raise CheckpointError(
            f"{architecture} takes its weights from the file. Leave 'pretrained' and 'checkpoint_path' out."
        )
    return functools.partial(timm.create_model, name, pretrained=False)
