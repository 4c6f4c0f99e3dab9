"""The release at the bottleneck of a sanitized model: words of a finite code, or a map of z.

It is a module beside the model's own, under the name `irene`, and works by a hook on the layer that its own tensors
name: a checkpoint in any format can carry it. In a file that does, the model's own tensors stand under
`irene.encoder.`: a plain architecture would load them without the release, and with `strict=False` nobody would notice.
`Released` is a model of the same names, so that saving it again does not take them off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from audit.errors import BottleneckError, CheckpointError, UnknownNameError
from audit.model.layers import parse
from audit.model.maps import paired_code, residual_map
from audit.model.maps.affine_and_code import Affine, Code
from audit.model.maps.paired_code import PairedCode
from audit.model.maps.residual_map import ResidualMap
from audit.model.structure.listing import OUTPUT

NAME = "irene"
T = TypeVar("T")


ENCODER = f"{NAME}.encoder."
"""Before the model's own keys in a file that carries a release."""
KINDS: Mapping[frozenset[str], type[nn.Module]] = {
    frozenset({"weight", "bias", "cuts", "words"}): Code,
    frozenset({"weight", "bias"}): Affine,
    frozenset(paired_code.PARTS): PairedCode,
    frozenset(residual_map.PARTS): ResidualMap,
}
KEYS = frozenset(f"{NAME}.{key}" for key in ("layer", *(f"map.{part}" for parts in KINDS for part in parts)))
"""Keys of a release in a checkpoint, beside the model's own."""


class BottleneckModule(nn.Module):
    """A module beside a model's own that replaces the input or output of one of their layers by a map of it."""

    def __init__(self, layer: str, map_: nn.Module) -> None:
        super().__init__()
        self.map = map_
        self.place = parse(layer)
        self.register_buffer("layer", torch.tensor(list(layer.encode()), dtype=torch.uint8))

    def forward(self, x: object) -> object:
        """Return x: a Sequential calls all of its modules, this one too."""
        return x

    def on_call(self, model: nn.Module, _given: object) -> None:
        """Refuse to run a model whose layer was replaced, and the map with it; a BottleneckError says so."""
        try:
            module = model.get_submodule(self.place.module)
        except AttributeError:
            module = None
        hooks = [] if module is None else [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
        if not any(getattr(hook, "__self__", None) is self for hook in hooks):
            raise BottleneckError(
                f"The module {self.place.module!r} was replaced or taken out, and with it what irene put at the "
                "bottleneck: the model would leak as before. Leave it in its place, and tap its input or output."
            )

    def on_input(
        self, _module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        """Replace the first argument of the layer, by its place or else by its name."""
        if args:
            return (self.map(args[0]), *args[1:]), kwargs
        first = next(iter(kwargs))
        return args, kwargs | {first: self.map(kwargs[first])}

    def on_output(self, _module: nn.Module, _given: object, output: object) -> object:
        """Replace the output of the layer."""
        return self.map(output)


def install(model: nn.Module, layer: str, map_: nn.Module) -> BottleneckModule:
    """Put a map (n, d) -> (n, d) at the input or output of a module, or at what the model returns.

    Raises an IreneError if that cannot be.
    """
    place, modules = parse(layer), dict(model.named_modules())
    is_output = place.module == OUTPUT and OUTPUT not in modules
    if place.elements or (is_output and place.side == "input"):
        raise BottleneckError(f"Layer {layer!r} cannot be replaced. Choose a module's input or output.")
    if not is_output and (place.module not in modules or not place.module):
        raise UnknownNameError("layer", place.module, [name for name in modules if name])
    if NAME in dict(model.named_children()):
        raise CheckpointError(
            f"The model has a module {NAME!r} already: it was sanitized by a code or a map. Start from the checkpoint "
            "that it was made from."
        )
    installed = BottleneckModule(layer, map_)
    model.add_module(NAME, installed)
    if is_output:
        model.register_forward_hook(installed.on_output)
        return installed
    model.register_forward_pre_hook(installed.on_call)
    if place.side == "input":
        modules[place.module].register_forward_pre_hook(installed.on_input, with_kwargs=True)
    else:
        modules[place.module].register_forward_hook(installed.on_output)
    return installed


def remove(model: nn.Module) -> None:
    """Remove the release that `install` put into a model."""
    installed = model.get_submodule(NAME)
    for module in model.modules():
        for hooks in (module._forward_pre_hooks, module._forward_hooks):
            for key in [key for key, hook in hooks.items() if getattr(hook, "__self__", None) is installed]:
                del hooks[key]
                module._forward_pre_hooks_with_kwargs.pop(key, None)
    delattr(model, NAME)


def in_file(key: str) -> str:
    """Return the name of a tensor in a file that carries a release."""
    return key if key in KEYS else ENCODER + key


def in_model(path: Path, tensors: Mapping[str, T]) -> dict[str, T]:
    """Return the tensors of a file by the model's own names; a CheckpointError if its release is gone."""
    own = {key.removeprefix(ENCODER): value for key, value in tensors.items()}
    if len(own) < len(tensors):
        twice = next(key for key in tensors if ENCODER + key in tensors)
        raise CheckpointError(
            f"{path} holds {twice!r} and {ENCODER + twice!r}: weights of two models in one. Take the checkpoint that "
            "`irene sanitize` wrote."
        )
    if own.keys() != tensors.keys() and not own.keys() & KEYS:
        raise CheckpointError(
            f"{path} holds weights under {ENCODER!r} and not the release that stood at their bottleneck "
            f"({NAME}.map.…): without it they leak as before. Take the checkpoint that `irene sanitize` wrote."
        )
    return own


@dataclass(frozen=True)
class Found:
    """What a checkpoint's tensors put at a bottleneck."""

    layer: str
    map: nn.Module

    def install(self, model: nn.Module) -> None:
        """Put it into a model that it fits."""
        install(model, self.layer, self.map)

    def require_fits(self, model: nn.Module) -> None:
        """Raise a CheckpointError for a model without that layer, or with one of another width, as far as known."""
        try:
            install(model, self.layer, self.map)
            remove(model)
            place = parse(self.layer)
            module = dict(model.named_modules()).get(place.module)
            if isinstance(module, nn.Linear):  # of others the first row tells
                self.map(torch.zeros(1, module.in_features if place.side == "input" else module.out_features))
        except (UnknownNameError, BottleneckError) as error:
            raise CheckpointError(f"What irene put at the bottleneck does not fit the model: {error}") from None


def found_in(tensors: Mapping[str, Tensor]) -> Found | None:
    """Return the release that a checkpoint's tensors describe, or None where they describe none.

    Raises CheckpointError if they are not what irene writes.
    """
    own = {key.removeprefix(f"{NAME}."): value for key, value in tensors.items() if key.startswith(f"{NAME}.")}
    if not own:
        return None
    parts = {key.removeprefix("map."): value for key, value in own.items() if key.startswith("map.")}
    kind = KINDS.get(frozenset(parts))
    layer = own.get("layer")
    if kind is None or layer is None or layer.dtype != torch.uint8 or layer.ndim != 1 or len(parts) + 1 != len(own):
        raise CheckpointError(
            f"The tensors under {NAME!r} are not what irene puts at a bottleneck ({', '.join(sorted(own))}). "
            "Take the checkpoint that `irene sanitize` wrote."
        )
    try:
        return Found(bytes(layer.tolist()).decode(), kind(**parts))
    except (UnicodeDecodeError, BottleneckError) as error:
        raise CheckpointError(
            f"The tensors under '{NAME}.map' are not a map that irene wrote: {error}. Take the checkpoint that "
            "`irene sanitize` wrote."
        ) from None


class Released(nn.Module):
    """A model with what stands at its bottleneck, as one module of the names that their file has.

    Its state_dict() holds `irene.layer`, `irene.map.…` and, under `irene.encoder.`, the model's own tensors: a plain
    architecture takes none of them, with `strict=False` neither.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.irene = model.get_submodule(NAME)
        delattr(model, NAME)  # its hooks stay
        self.irene.encoder = model
        self.train(model.training)

    def forward(self, *args: object, **kwargs: object) -> object:
        """Return what the model returns, behind the code or map."""
        return self.irene.encoder(*args, **kwargs)  # type: ignore[operator]
