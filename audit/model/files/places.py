"""Where files of training scripts keep what is looked for, and which of several places to take."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeGuard, TypeVar

from audit.errors import CheckpointError, UnknownNameError, listed

T = TypeVar("T")
PLAIN_NESTS = (
    "state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params", "model_weights",
    "model_state", "encoder", "backbone", "student",
)  # fmt: skip
"""Keys under which training scripts keep the trained weights, most usual first."""
AVERAGES = (
    "state_dict_ema", "model_ema", "ema", "ema_state_dict", "ema_model", "model_ema_state_dict", "params_ema",
    "ema_weights", "teacher", "ema_net", "net_ema", "averaged_model", "swa_model",
)  # fmt: skip
"""Keys of a running average of them, taken where there is nothing else."""
NESTS = PLAIN_NESTS + AVERAGES
RANKS = {nest: place for place, nest in enumerate(NESTS)}
DEEPEST = 3
"""Keys within keys in which a pickled module is looked for."""


def within(content: object, wanted: Callable[[object], TypeGuard[T]]) -> dict[str, T]:
    """Return everything of a kind in nested mappings by its dotted key: the usual keys first, then in their order."""
    found = dict(_within(content, wanted, DEEPEST))
    return dict(sorted(found.items(), key=lambda item: rank(item[0].split("."))))


def chosen(path: Path, found: Sequence[str], key: str | None) -> tuple[str, list[str]]:
    """Return which of several places to take, the usual one first, and what a reader should know of that choice.

    Raises UnknownNameError if `key` is not among them; CheckpointError if none of them is in a usual place, or two are
    as usual.
    """
    if key is not None:
        if key not in found:
            raise unknown_key(path, key, found)
        return key, []
    ranked = sorted(found, key=lambda name: rank(name.split(".")))
    first, others = ranked[0], ranked[1:]
    plain = [name for name in ranked if not is_average(name.split("."))]
    rivals = plain[1:] if plain else others
    usual = first.partition(".")[0] in NESTS
    if rivals and not (usual and rank(first.split("."))[0] < rank(rivals[0].split("."))[0]):
        raise CheckpointError(
            f"{path} holds weights in several places: {listed(found, 8)}. Choose one with --weights-key."
        )
    note = f"the weights under {first!r} were taken; others stand under {listed(others)} (--weights-key)"
    return first, [note] if others else []


def unknown_key(path: Path, key: str, found: Sequence[str]) -> UnknownNameError:
    """Return the error of a key under which no weights stand."""
    return UnknownNameError(f"key of weights in {path.name}", key, [listed([name]) for name in found])


def rank(place: Sequence[str]) -> tuple[int, int]:
    """Return how usual a place is, lowest first: the trained weights, their average, others; then how deep it lies."""
    return len(NESTS) * is_average(place) + RANKS.get(place[0] if place else "", 2 * len(NESTS)), len(place)


def is_average(place: Sequence[str]) -> bool:
    """Return whether a place is that of a running average."""
    return any(part in AVERAGES for part in place)


def _within(content: object, wanted: Callable[[object], TypeGuard[T]], depth: int) -> Iterator[tuple[str, T]]:
    if not isinstance(content, Mapping) or not depth:
        return
    for key, value in content.items():
        if not isinstance(key, str):
            continue  # an optimizer numbers its parameters
        if wanted(value):
            yield key, value
        else:
            yield from ((f"{key}.{inner}", found) for inner, found in _within(value, wanted, depth - 1))
