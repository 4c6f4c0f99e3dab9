"""Build an untrained model from the name of its architecture; no weights are downloaded.

Of `hf:NAME` that is no folder here, the configuration is fetched from the hub.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import nn

from audit.errors import CheckpointError, UnknownNameError, in_one_line
from audit.evidence.json_file import without_folders
from audit.model.huggingface import PREFIX, build_untrained
from audit.plugins import call, resolve, users_code

ARCHITECTURES = {
    "biased-mnist": "audit.model.example_networks:biased_mnist",
    "small-convnet": "audit.model.example_networks:small_convnet",
}
TIMM = "timm:"
WAYS = "--arch torchvision.models:resnet18, timm:NAME, hf:FOLDER, package.module:factory or file.py:factory"


def build(architecture: str | Callable[[], object], arguments: Mapping[str, object]) -> nn.Module:
    """Build an untrained model from an `--arch` and its factory's arguments, for instance `num_classes`; or by a call.

    Raises UnknownNameError if there is no such architecture; CheckpointError if it refuses the arguments, or is none.
    """
    factory: Callable[..., object]
    if isinstance(architecture, nn.Module) or not (isinstance(architecture, str) or callable(architecture)):
        raise CheckpointError(
            f"A {type(architecture).__name__} was given in the place of what builds the model. Give the function "
            "itself, build and not build(), or its name."
        )
    if not isinstance(architecture, str):
        factory, architecture = architecture, _name(architecture)
    elif architecture.startswith(PREFIX):
        return build_untrained(architecture.removeprefix(PREFIX), arguments)
    else:
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


def in_words(architecture: str | Callable[[], object], arguments: Mapping[str, object]) -> str:
    """Return the architecture with its arguments, as the evidence keeps it."""
    architecture = architecture if isinstance(architecture, str) else _name(architecture)
    inside = ", ".join(f"{key}={_shown(value)!r}" for key, value in sorted(arguments.items()))
    if architecture.startswith(PREFIX) and Path(name := architecture.removeprefix(PREFIX)).is_dir():
        architecture = PREFIX + Path(name).resolve().name
    return f"{architecture}({inside})"


def _shown(value: object) -> object:
    """Return an argument without the folders of the files that it may name."""
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items()}
    if isinstance(value, list):
        return [*map(_shown, value)]
    return without_folders(value) if isinstance(value, str) else value


def _name(factory: Callable[[], object]) -> str:
    """Return what a user's factory is called."""
    named = factory if inspect.isroutine(factory) or inspect.isclass(factory) else type(factory)
    return f"{named.__module__}.{named.__qualname__}"


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
