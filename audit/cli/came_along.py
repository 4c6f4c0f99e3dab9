"""What a config may not bring with it, as it may be a stranger's: names of code, and of other machines."""

import importlib.util
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from audit.cli.options import arguments
from audit.data.sources.catalogue import DATASETS
from audit.errors import IreneError, visible

TORCHVISION = "torchvision.models:"
HUB = "hf:"
NAMES_CODE = frozenset({"arch", "data", "unlabelled", "transform", "attackers", "method", "methods"})
ONLY_TYPED = frozenset({"allow-pickle"})
MAY_CALL = frozenset({"data", "data-root", "unlabelled", "backend"})
"""Options that take the address of another machine."""
FETCHED = frozenset({"weights", "weights_backbone", "pretrained", "pretrained_backbone", "checkpoint_path"})
"""Arguments by which a factory of somebody's library reads or downloads another file of weights."""
_TRANSFORM = re.compile(r"torchvision\.models:\w+_Weights\.\w+\.transforms")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://.+")
"""As of audit.data.files.remote."""


def require_typed(key: str, values: Iterable[str], place: str) -> None:
    """Refuse what runs code, or calls another machine. Raises IreneError.

    Args:
        key: The option, without its dashes.
        values: What the file gives it.
        place: How messages call it.
    """
    if key in ONLY_TYPED:
        raise IreneError(f"{place} must be typed: no file that came along may let code run. Remove it there.")
    for value in values:
        _require_no_call(key, value, place)
        if key in NAMES_CODE:
            for one in value.split(","):
                _require_no_code(key, one.strip(), place)
        if key in ("data-arg", "method-arg"):
            for name, given in arguments([value]).items() if "=" in value else ():
                _require_no_call(name.replace("_", "-"), str(given), place)
                if name in NAMES_CODE:
                    _require_no_code(name, str(given), place)
        if key == "arch-arg" and value.partition("=")[0].replace("-", "_") in FETCHED:
            raise IreneError(
                f"{place} names other weights, which must be typed: no file that came along may have any fetched. Type "
                f"--arch-arg {value}, or remove it there."
            )


def _require_no_call(key: str, value: str, place: str) -> None:
    """Refuse the address of another machine, and what is no folder here and would be fetched from the hub."""
    hub = value.removeprefix(HUB) if key == "arch" and value.startswith(HUB) else value if key == "tokenizer" else None
    if hub is not None and not _is(Path.is_dir, hub):
        what = "which is no folder here and would be fetched"
    elif key in MAY_CALL and _ADDRESS.fullmatch(value):
        what = "an address"
    else:
        return
    raise IreneError(
        f"{place} names {visible(value)!r}, {what}: no file that came along may have another machine called. Type "
        f"--{key} {visible(value)} on the command line."
    )


def _require_no_code(key: str, value: str, place: str) -> None:
    if ":" not in value or _builds(key, value):
        return
    raise IreneError(
        f"{place} names code, {visible(value)!r}, which must be typed: no file that came along may let code run. Type "
        f"--{key} {visible(value)} on the command line."
    )


def _builds(key: str, value: str) -> bool:
    """Tell whether a name with a colon runs nothing but what was installed to build models, or is no code at all."""
    if key == "arch":
        return value.startswith(("timm:", HUB)) or (value.startswith(TORCHVISION) and _is_torchvision(value))
    if key == "transform":
        return value.startswith("timm:") or _TRANSFORM.fullmatch(value) is not None
    is_source = value in DATASETS or _is(Path.exists, value)
    return key in ("data", "unlabelled") and is_source


def _is(holds: Callable[[Path], bool], name: str) -> bool:
    try:
        return holds(Path(name))
    except OSError:  # longer than a name can be
        return False


def _is_torchvision(value: str) -> bool:
    if importlib.util.find_spec("torchvision") is None:
        return False
    from torchvision import models

    return value.removeprefix(TORCHVISION) in models.list_models(module=models)
