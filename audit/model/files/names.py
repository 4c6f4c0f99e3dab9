"""How the names in a file could stand for a model's: what wrappers put between them, and what stood before them."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from audit.model.files.contents import Entry

Segments = tuple[str, ...]
WRAPPERS = frozenset(
    {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module", "_dp_module"}
)
"""What DataParallel, torch.compile, FSDP, activation checkpointing, DeepSpeed and Lightning put anywhere in a name."""
ENDINGS = ("_state_dict", "_state", "_weights")
"""What people write behind a module's name where they save it under a key of its own: `encoder_state_dict`."""
MOST = 100
"""Candidates that are tried: a part of a few names may fit at each of a model's layers."""


@dataclass(frozen=True)
class Candidate:
    """One way to take tensors of a file for a model's."""

    place: Segments
    """What stands before the names in the file, without wrappers."""
    names: dict[str, str]
    """The model's name of each tensor by its key in the file; a key that none of the model's is like keeps its own."""
    matched: int
    """How many of them are the model's."""


def bare(segments: Segments) -> Segments:
    """Return a name without what wrappers put into it."""
    return (*(one for one in segments[:-1] if one not in WRAPPERS), segments[-1])


def split(key: str) -> Segments:
    """Return the parts of a dotted name."""
    return tuple(key.split("."))


def candidates(held: Mapping[str, Segments], wanted: Collection[str]) -> list[Candidate]:
    """Return all ways in which a file's tensors may be a model's, the one with most common names first.

    Args:
        held: The parts of each key in the file, as they are to be read (without the marks of a release).
        wanted: The model's names.
    """
    for view in (bare, lambda segments: segments):
        model = {view(split(name)): name for name in wanted}
        file = {key: view(segments) for key, segments in held.items()}
        if len(model) == len(wanted) and len(set(file.values())) == len(file):
            break
    found = list(_placed(file, model))
    if not found and (common := _common(list(model))):  # the model wraps what was saved alone
        found = list(_placed(file, {segments[len(common) :]: name for segments, name in model.items()}))
    if not found:
        found = [Candidate((), {key: ".".join(segments) for key, segments in file.items()}, 0)]
    return found


def _placed(file: Mapping[str, Segments], model: Mapping[Segments, str]) -> Iterator[Candidate]:
    counts: Counter[Segments] = Counter()
    for segments in file.values():
        counts.update(segments[:head] for head in range(len(segments)) if segments[head:] in model)
    for place, count in counts.most_common(MOST):
        inner = {key: segments[len(place) :] for key, segments in file.items() if segments[: len(place)] == place}
        yield Candidate(place, {key: model.get(name, ".".join(name)) for key, name in inner.items() if name}, count)


def _common(names: list[Segments]) -> Segments:
    """Return what all names begin with."""
    first, last = min(names, default=()), max(names, default=())
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[: min(length, len(first) - 1)]


def parts(entries: Mapping[str, Entry]) -> dict[str, Segments]:
    """Return the parts of each key of a file."""
    return {key: split(key) for key in entries}


def shortened(entries: Mapping[str, Entry]) -> dict[str, Segments]:
    """Return the same, less the endings that people give to the keys of modules: `encoder_state_dict`."""
    return {key: (*map(_short, entry.nest), *split(entry.name)) for key, entry in entries.items()}


def _short(nest: str) -> str:
    return next((nest.removesuffix(end) for end in ENDINGS if nest.endswith(end) and len(nest) > len(end)), nest)
