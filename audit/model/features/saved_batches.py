"""What a model gave, batch by batch, in a folder beside the evidence: from there a pass that was stopped goes on.

Rows are read again, and the state of other rows is refused: each batch is kept with a digest of its inputs. The files
are of safetensors, which hold numbers alone, and their owner alone may read them, since the numbers are of people.
"""

import hashlib
import json
import re
import time
from bisect import bisect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from audit.atomic_write import staged
from audit.data.on_disk import Floats
from audit.errors import CheckpointError, first_line

SECONDS, BYTES = 60.0, 2**26
"""Work, and what it gave, that a pass loses at most if it is stopped, about; a shorter one leaves no state."""
NAME = re.compile(r"([0-9]{1,12})-([0-9]{1,12})\.safetensors")
SCORES = "scores"
ROUNDING = 1e-2
"""Of two runs of one batch, as a share of the numbers and of the largest of them."""


class _File(NamedTuple):
    """A file of the state, and the places of the first and the last batch that it holds."""

    first: int
    last: int
    path: Path


@dataclass(frozen=True)
class Given:
    """What a model gave for one batch of b inputs."""

    z: Mapping[str, Floats]
    """Representations by layer, (b, d), as narrow as they are attacked."""
    output: object
    """What it answered, (b, …) if it is a tensor; None where nobody asks."""
    changed_inputs: bool
    """Whether it changed its inputs in place."""


def require_state(folder: Path, *, resume: bool) -> None:
    """Raise a CheckpointError where there is no state to go on from, or where a new pass would mix with one.

    Of several processes the first is to look, before any of them writes.
    """
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is no folder, and the state of this audit would be one. Remove it.")
    there = bool(_found(folder))
    if resume and not there:
        raise CheckpointError(f"No state {folder} to go on from. Leave --resume out to begin.")
    if there and not resume:
        raise CheckpointError(
            f"{folder} is the state of an audit that did not end. Go on with --resume, or remove it to begin anew."
        )


class SavedBatches:
    """The state of a pass. Batches are kept by their place among all, so any number of processes may go on."""

    def __init__(self, folder: Path, request: str, *, resume: bool = False) -> None:
        """Name the folder, and what the pass was asked for, as text: the state of another is refused."""
        self.folder, self._request, self._resume = folder, request, resume
        self._files: list[_File] = []
        self._opened: tuple[Path, dict[str, str], dict[str, Tensor]] | None = None
        self._new: dict[int, tuple[str, Given]] = {}
        self._widths: dict[str, int] = {}
        self._bytes, self._since = 0, time.monotonic()

    def __enter__(self) -> "SavedBatches":
        """See what there is."""
        self._files, self._since = _found(self.folder) if self._resume else [], time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Keep what was not yet written, if losing it would matter."""
        if time.monotonic() - self._since < SECONDS and not self.folder.is_dir():
            return
        with suppress(*([Exception] if error else [])):  # what went wrong first is what is told
            self._write()

    def find(self, place: int, rows: Sequence[int], digests: Sequence[bytes]) -> Given | None:
        """Return what the model gave for the batch at a place, if that is known.

        Raises CheckpointError where it is of other rows, or the state is damaged or of another request.
        """
        path = self._file_of(place)
        if path is None:
            return None
        if self._opened is None or self._opened[0] != path:
            self._opened = (path, *self._read(path))
        told, tensors = self._opened[1:]
        try:
            of, layers, changed = (told[f"{place}.{what}"] for what in ("of", "layers", "changed"))
            z = {name: tensors[f"{place}.z.{name}"].numpy() for name in json.loads(layers)}
        except (KeyError, ValueError, TypeError):
            raise self._damaged(path, "a batch is not there") from None
        if of != _digest(rows, digests):
            raise self._other("rows")
        self._widths = self._widths or {name: values.shape[-1] for name, values in z.items()}
        if {name: values.shape for name, values in z.items()} != {
            name: (len(rows), width) for name, width in self._widths.items()
        }:
            raise self._damaged(path, "a batch has other layers, rows or widths than it should")
        return Given(z, tensors.get(f"{place}.{SCORES}"), changed == str(True))

    def require_same(self, place: int, rows: Sequence[int], digests: Sequence[bytes], given: Given) -> None:
        """Raise a CheckpointError where the model gives a batch otherwise than it did: its code may be another now."""
        before = self.find(place, rows, digests)
        if before is not None and not all(_is_same(before.z[name], values) for name, values in given.z.items()):
            raise self._other("code of the model")

    def keep(self, place: int, rows: Sequence[int], digests: Sequence[bytes], given: Given) -> None:
        """Keep what the model gave for a batch of rows; where it answered no plain floats, it is to be run again."""
        if self._file_of(place) or not (given.output is None or _is_plain(given.output)):
            return
        self._widths = self._widths or {name: values.shape[1] for name, values in given.z.items()}
        output = given.output.detach().cpu() if isinstance(given.output, Tensor) else None
        self._new[place] = (_digest(rows, digests), replace(given, output=output))
        self._bytes += sum(values.nbytes for values in given.z.values())
        if self._bytes > BYTES or time.monotonic() - self._since > SECONDS:
            self._write()

    def remedy(self) -> str:
        """Return what a pass that did not end left, in a sentence; empty if nothing."""
        if not _found(self.folder):
            return ""
        return (
            f"What the model gave so far is in {self.folder}, which holds representations of your rows: go on with "
            "--resume, or remove it."
        )

    def remove(self) -> None:
        """Take the state away."""
        for one in _found(self.folder):
            one.path.unlink(missing_ok=True)
        with suppress(OSError):  # it is not there, or holds what is not ours
            self.folder.rmdir()

    def _file_of(self, place: int) -> Path | None:
        before = bisect(self._files, place, key=lambda one: one.first)
        return self._files[before - 1].path if before and place <= self._files[before - 1].last else None

    def _write(self) -> None:
        """Write what is new: a file for each run of batches that follow each other."""
        breaks = [place for place in self._new if place - 1 not in self._new]
        for first, after in pairwise([*breaks, np.inf]):
            self._write_run({place: one for place, one in self._new.items() if first <= place < after})
        self._new, self._bytes, self._since = {}, 0, time.monotonic()

    def _write_run(self, run: Mapping[int, tuple[str, Given]]) -> None:
        told, tensors = {"request": self._request}, dict[str, Tensor]()
        for place, (digest, given) in run.items():
            told |= {f"{place}.of": digest, f"{place}.layers": json.dumps([*given.z])}
            told |= {f"{place}.changed": str(given.changed_inputs)}
            for name, values in given.z.items():
                tensors[f"{place}.z.{name}"] = torch.from_numpy(np.ascontiguousarray(values))
            if isinstance(given.output, Tensor):
                tensors[f"{place}.{SCORES}"] = given.output.contiguous().clone()  # it may be one with a layer's
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with staged(self.folder / f"{min(run)}-{max(run)}.safetensors", private=True) as staging:
            staging.write_bytes(safetensors.torch.save(tensors, metadata=told))

    def _read(self, path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                told, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        except (safetensors.SafetensorError, OSError) as error:
            raise self._damaged(path, first_line(error)) from None
        if told.get("request") != self._request:
            raise self._other("settings or another checkpoint")
        return told, tensors

    def _damaged(self, path: Path, fact: str) -> CheckpointError:
        return CheckpointError(f"{path} is damaged: {fact}. Remove {self.folder} to begin anew.")

    def _other(self, what: str) -> CheckpointError:
        return CheckpointError(
            f"{self.folder} is the state of an audit with other {what}. Give the same, or remove it to begin anew."
        )


def _found(folder: Path) -> list[_File]:
    """Return the files of a state, in the order of their batches."""
    there = [*folder.iterdir()] if folder.is_dir() else []
    named = [(match, path) for path in there if (match := NAME.fullmatch(path.name))]
    return sorted(_File(int(match[1]), int(match[2]), path) for match, path in named)


def _is_same(before: Floats, now: Floats) -> bool:
    """Return whether two runs of a batch differ by no more than the rounding of another device."""
    return np.allclose(before, now, rtol=ROUNDING, atol=ROUNDING * float(np.abs(now).max(initial=0)), equal_nan=True)


def _is_plain(output: object) -> bool:
    return isinstance(output, Tensor) and output.is_floating_point() and output.layout == torch.strided


def _digest(rows: Sequence[int], digests: Sequence[bytes]) -> str:
    return hashlib.sha256(json.dumps([*map(int, rows)]).encode() + b"".join(digests)).hexdigest()
