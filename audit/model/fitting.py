"""Put a file's weights into a module: which of its tensors they are is what the module itself accepts."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from audit.errors import CheckpointError, listed
from audit.model import release
from audit.model.checkpoint_file import CheckpointFile
from audit.model.files.contents import Entry, entries, without_tensors
from audit.model.files.names import WRAPPERS, Candidate, bare, candidates, parts, shortened, split
from audit.model.files.places import chosen, rank, unknown_key
from audit.model.files.quantised import require_floats, require_plain
from audit.model.files.rehearsal import Report, is_made, load, rehearse
from audit.model.state_dict import Weights, require_finite, require_held

COUNTED = ("num_batches_tracked", "position_ids")
"""Last names of whole numbers that say nothing of a model: how long it was trained, and 0, 1, 2, …"""
COUNTER = "n_averaged"
"""The counter of torch.optim.swa_utils.AveragedModel, beside `module.…`."""
OF_TRAINING = re.compile(r"(criterion|loss(es)?|loss_?\w*|\w*_loss(es)?|\w*metrics?|\w*_acc(uracy)?)\.")
"""Starts of names of what only a training needs: a loss's class weights, a running metric."""
OF_CONTRASTS = re.compile(r"((logit|similarity)_(scale|weight|bias)|log_?temp(erature)?|temperature)")
"""Names of the numbers by which a contrastive loss scales how alike two vectors are."""
ENCODER = split(release.ENCODER)[:-1]
SHOWN = 8
"""Names in a note."""


@dataclass(frozen=True)
class Fit:
    """One way to take a file's tensors for a model's, and what the model says of it."""

    candidate: Candidate
    report: Report
    spare: tuple[str, ...] = ()
    """Keys in the file that the model does not know and does not need."""
    unknown: tuple[str, ...] = ()
    """Keys in the file that it does not know and may need."""

    @property
    def fits(self) -> bool:
        """Whether every parameter is there, and nothing else that may be one."""
        return self.report.fits and not self.unknown

    @property
    def place(self) -> str:
        """What stands before the names in the file, dotted."""
        return ".".join(self.candidate.place)


def tensors_in(file: CheckpointFile, content: object) -> dict[str, Entry]:
    """Return all tensors of a file's content; a CheckpointError if there are none, or more than the file can hold."""
    path = file.path
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a state_dict. Save model.state_dict().")
    found = entries(path, content)
    if not found:
        held = listed(sorted(str(name) for name in content), SHOWN) or "nothing"
        raise CheckpointError(f"{path} holds no state_dict (it holds: {held}). Save model.state_dict().")
    require_held(path, file.shards or (path,), [entry.tensor for entry in found.values()])
    return found


def fitted(
    module: nn.Module, file: CheckpointFile, content: object, architecture: str, key: str | None = None
) -> Weights:
    """Find a module's weights in a file's content, load them into it, and return them.

    Raises:
        CheckpointError: There are none, they do not fit, are not finite, or several parts fit; nothing is changed.
        UnknownNameError: No weights stand under `key`.
    """
    path = file.path
    found = tensors_in(file, content)
    _require_release(path, found, module)
    known = [*dict.fromkeys(".".join(entry.nest) for entry in found.values() if entry.nest)]
    under = {name: entry for name, entry in found.items() if key is None or name.startswith(key + ".")}
    if not under and not known:
        raise CheckpointError(f"{path} holds plain weights, under no key. Leave --weights-key out.")
    if key is not None and not under:
        raise unknown_key(path, key, sorted(known, key=lambda name: rank(name.split("."))))
    require_plain(path, under)
    buffers = {name for name, _ in module.named_buffers()}
    for way in (parts, shortened):
        held = _parts(way(under), module)
        fits = _tried(module, found, held)
        if fits[0].fits:
            break
    if not fits[0].fits:
        require_floats(path, under)
        for name in fits[0].candidate.names:
            require_finite(path, name, found[name].tensor)
        raise _misfit(path, architecture, found, fits[0], buffers)
    fit, notes = _chosen(path, found, fits)
    extra = _released(path, found, held, fit)
    state = {inner: found[name].tensor for name, inner in fit.candidate.names.items()}
    for name, value in [*state.items(), *extra.items()]:
        require_finite(path, name, value)
    standing = None if release.NAME in dict(module.named_children()) else release.found_in(extra)
    if standing is not None:
        standing.require_fits(module)  # before the weights: a model that took them alone would leak
    report = load(module, state)
    if not report.fits:
        raise _misfit(path, architecture, found, replace(fit, report=report), buffers)
    if standing is not None:
        standing.install(module)
    told = {name for one in fits for name in (*one.candidate.names, *one.spare)}
    beside = [name for name, own in held.items() if name not in told and not _of_release(own)]
    notes += _notes(content, found, fit, beside)
    return _weights(file, module, found, fit, extra, notes, key)


def _require_release(path: Path, found: Mapping[str, Entry], module: nn.Module) -> None:
    """Raise a CheckpointError if a file has the marks of a release, and not the release itself."""
    if release.NAME not in dict(module.named_children()):
        for head in {key.partition(release.ENCODER)[0] for key in found if release.ENCODER in key}:
            release.in_model(path, {key.removeprefix(head): one for key, one in found.items() if key.startswith(head)})


def _parts(names: Mapping[str, tuple[str, ...]], module: nn.Module) -> dict[str, tuple[str, ...]]:
    """Return the parts of each name without the mark of a release."""
    if release.NAME in dict(module.named_children()):
        return dict(names)
    unmarked = {}
    for key, name in names.items():
        place = next((i for i in range(len(name)) if name[i : i + len(ENCODER)] == ENCODER), len(name))
        unmarked[key] = name[:place] + name[place + len(ENCODER) :]
    return unmarked


def _of_release(name: Sequence[str]) -> bool:
    """Return whether a name is that of a tensor at the bottleneck (audit.model.release)."""
    return release.NAME in name[:-1]


def _tried(module: nn.Module, found: Mapping[str, Entry], held: Mapping[str, tuple[str, ...]]) -> list[Fit]:
    """Return the ways that fit, or the best of those that do not."""
    wanted = module.state_dict().keys()
    own = held if any(map(_of_release, map(split, wanted))) else {k: v for k, v in held.items() if not _of_release(v)}
    best: list[Fit] = []
    for way in candidates(own, wanted):
        if best and best[0].fits and way.matched < best[0].candidate.matched:
            break  # a part of fewer names could only lack some
        fit = _judged(module, found, way)
        if not best or (fit.fits and not best[0].fits):
            best = [fit]
        elif fit.fits:
            best.append(fit)
    return best


def _judged(module: nn.Module, found: Mapping[str, Entry], way: Candidate) -> Fit:
    report = rehearse(module, {inner: found[name].tensor for name, inner in way.names.items()})
    model = module.state_dict().keys()
    nests = {found[name].nest for name, inner in way.names.items() if inner in model}
    extra = [name for name, inner in way.names.items() if inner in report.unexpected]
    spare = [name for name in extra if _is_spare(way.names[name], found[name], nests)]
    names = {name: inner for name, inner in way.names.items() if name not in spare}
    unknown = tuple(name for name in extra if name not in spare)
    return Fit(replace(way, names=names), report, tuple(spare), unknown)


def _is_spare(inner: str, entry: Entry, nests: Collection[tuple[str, ...]]) -> bool:
    """Return whether a model that does not know a tensor does not need it either."""
    of_training = OF_TRAINING.match(inner) or (entry.tensor.numel() == 1 and OF_CONTRASTS.fullmatch(inner))
    return (bool(nests) and entry.nest not in nests) or is_made(inner, entry.tensor) or bool(of_training)


def _released(
    path: Path, found: Mapping[str, Entry], held: Mapping[str, tuple[str, ...]], fit: Fit
) -> dict[str, Tensor]:
    """Return the tensors of the release at the bottleneck of what was chosen, by the names that it gives them."""
    place, names = fit.candidate.place, {}
    for key, name in held.items():
        if key in fit.candidate.names or not _of_release(name):
            continue
        head = bare(name[: name.index(release.NAME) + 1])[:-1]
        if head == place:
            names[key] = ".".join(name[name.index(release.NAME) :])
        elif head == place[: len(head)]:
            raise CheckpointError(
                f"What irene put at the bottleneck does not fit the model: {path} is of a larger one, of which this is "
                f"{fit.place!r}. Name the architecture that was sanitized."
            )
    return {name: found[key].tensor for key, name in names.items()}


def _chosen(path: Path, found: Mapping[str, Entry], fits: Sequence[Fit]) -> tuple[Fit, list[str]]:
    """Return the way to take, and what a reader should know of that choice."""
    first = fits[0]
    differ = [one for one in fits[1:] if not _equal(found, first, one)]
    if not differ:
        return first, []
    by_place = {one.place: one for one in (first, *differ)}
    if "" in by_place:  # what stands before all others needs no word
        others = [place for place in by_place if place]
        return by_place[""], [f"the weights beside {listed(others)} were taken (--weights-key)"]
    taken, notes = chosen(path, list(by_place), None)
    return by_place[taken], notes


def _equal(found: Mapping[str, Entry], one: Fit, other: Fit) -> bool:
    a = {inner: found[name].tensor for name, inner in one.candidate.names.items()}
    b = {inner: found[name].tensor for name, inner in other.candidate.names.items()}
    return a.keys() == b.keys() and all(a[k].shape == b[k].shape and torch.equal(a[k], b[k]) for k in a)


def _misfit(
    path: Path, architecture: str, found: Mapping[str, Entry], fit: Fit, buffers: Collection[str]
) -> CheckpointError:
    unknown, missing = [fit.candidate.names[name] for name in fit.unknown], list(fit.report.missing)
    if not fit.candidate.matched and not fit.report.faults:
        names = [name for name in found if not is_made(name, found[name].tensor)] or list(found)
        return CheckpointError(
            f"{path} does not fit {architecture}: no name is the same (the file holds {listed(names, 3)}; the "
            f"model wants {listed(missing, 3)}). Name the class whose state_dict() was saved, or a function of yours "
            "that builds it: --arch file.py:factory."
        )
    place = f", under {fit.place!r}" if fit.place else ""
    faults = [f"{len(missing)} missing from the file{place}: {listed(missing, 3)}"] if missing else []
    faults += [f"{len(unknown)} unknown to the model: {listed(unknown, 3)}"] if unknown else []
    faults += [listed(fit.report.faults, 3)] if fit.report.faults else []
    shapes = bool(fit.report.faults) and not unknown and not missing
    remedy = "Give the arguments that it was trained with (for instance --arch-arg num_classes=2)" if shapes else (
        "Name the architecture that these weights are of, with its arguments (--arch-arg), or another part of the file "
        "(--weights-key)"
    )  # fmt: skip
    if missing and not unknown and not fit.report.faults and set(missing) <= set(buffers):
        remedy = "These are buffers, which model.state_dict() holds and model.parameters() does not. Save the former"
    return CheckpointError(f"{path} does not fit {architecture}: {'; '.join(faults)}. {remedy}.")


def _notes(content: object, found: Mapping[str, Entry], fit: Fit, beside: Sequence[str]) -> list[str]:
    """Say what of the file was not used, and what of the model the file does not tell."""
    notes = []
    left = [name for name in fit.spare if name.rpartition(".")[2] not in COUNTED]
    if COUNTER in {found[name].name for name in [*left, *beside]}:
        left = [name for name in left if found[name].name != COUNTER]
        beside = [name for name in beside if found[name].name != COUNTER]
        notes.append(f"the weights are an average of torch's AveragedModel; its counter {COUNTER!r} was left out")
    used = {found[name].nest for name in fit.candidate.names}
    left += [name for name in beside if found[name].nest in used]
    heads = dict.fromkeys(name.partition(".")[0] for name in beside if found[name].nest not in used)
    taken = {nest[0] for nest in used if nest}
    rest = [*without_tensors(content), *(head for head in heads if head not in taken)]
    if rest:
        notes.append(f"the checkpoint also holds {listed(rest)}, which was not used")
    if left:
        notes.append(f"tensors of the file that the model does not know were not used: {listed(left, SHOWN)}")
    made = [name for name in fit.report.kept if name.rpartition(".")[2] != "num_batches_tracked"]
    if made:
        notes.append(f"not in the file, and as the architecture makes them: {listed(made, SHOWN)}")
    return notes


def _weights(
    file: CheckpointFile,
    module: nn.Module,
    found: Mapping[str, Entry],
    fit: Fit,
    extra: Mapping[str, Tensor],
    notes: list[str],
    key: str | None,
) -> Weights:
    names = {inner: found[name] for name, inner in fit.candidate.names.items()}
    nests = {entry.nest for inner, entry in names.items()}
    nest = nests.pop() if len(nests) == 1 else ()
    prefix = _prefix(
        [entry.name for entry in names.values()], len(fit.candidate.place) - len(split(".".join(nest)) if nest else ())
    )
    lacking = {*fit.report.missing, *fit.report.kept, *fit.report.tied}
    own = {name: value for name, value in module.state_dict().items() if name in names or name not in lacking}
    tensors = {name: names[name].tensor if name in names else value for name, value in own.items()}
    places = {name: (names[name].nest, names[name].name) if name in names else (nest, prefix + name) for name in own}
    return Weights(
        file.path.with_name(file.path.name.removesuffix(".index.json")),  # what one file of all shards is called
        file.sha256,
        tensors | dict(extra),
        places | {name: (nest, prefix + name) for name in extra},
        prefix,
        nest,
        key or ".".join(nest) or None,
        notes,
    )


def _prefix(names: Sequence[str], place: int) -> str:
    """Return what stands before all names within their mapping: the place, and wrappers around the whole model."""
    heads = set()
    for name in names:
        head, length = split(name)[:-1], 0
        for count in range(len(head) + 1):
            if len([one for one in head[:count] if one not in WRAPPERS]) <= place:
                length = count
        heads.add(head[:length])
    common = heads.pop() if len(heads) == 1 else tuple(one for one in heads.pop() if one not in WRAPPERS)
    return "".join(f"{one}." for one in common)
