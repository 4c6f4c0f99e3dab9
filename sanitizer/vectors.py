"""A map alone, for who holds vectors and no model: fitted on some, and written as a program with all of them mapped.

The vectors are taken for what a model without weights returns, so that everything is as for a checkpoint: the rows that
fit and those that choose, the record, the program. Which rows may fit is a rule that the record names
(audit.data.parts); an audit of the result leaves them out. Vectors and the map alone are written, no label and no id.
"""

import os
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.lib.format import write_array
from numpy.typing import NDArray
from torch import nn

from audit.atomic_write import as_path, locked, staged_together
from audit.column_names import several
from audit.data.labelled import LabelledData
from audit.data.layers import given_layers
from audit.data.loading import batches
from audit.data.on_disk import AT_ONCE, blocks
from audit.data.parts import PartRule
from audit.errors import CheckpointError, DataError, IreneError, TrainingError
from audit.evidence.audit_result import Sanitizing, sidecar
from audit.model.describe import describe_features
from audit.model.release import NAME
from audit.verification.verification import identified
from sanitizer.export import exported
from sanitizer.method_table import METHODS
from sanitizer.methods.base import Method
from sanitizer.options import SanitizeOptions, given_options
from sanitizer.record import record, record_of, request
from sanitizer.run import (
    choice,
    named_method,
    prepared,
    program,
    require_columns,
    require_own,
    state_file,
    with_unlabelled,
    written,
)
from sanitizer.training.forward import LARGEST
from sanitizer.training.loop import fine_tune
from sanitizer.training.resume import ResumeFile

LAYER = "vectors"
MAPS = ("leace", "rich", "pairs", "map")
"""Methods of irene's own that leave a map of any vector."""
SUFFIXES = (".npz", ".npy")


@dataclass(frozen=True)
class Vectors:
    """Vectors that some model made, with their labels."""

    name: str
    """What the result calls them, too."""
    values: NDArray[np.floating]
    """(n, d)."""
    data: LabelledData
    """Their labels; its inputs are the rows of `values`, (d,) float32."""
    sha256: str
    """Of the file that they came from."""


def sanitize_vectors(
    vectors: Vectors,
    output: str | os.PathLike[str],
    *,
    private: str | Sequence[str],
    keep: str | Sequence[str] = (),
    method: str | Method | None = None,
    options: SanitizeOptions | None = None,
) -> Sanitizing:
    """Fit a map on some of the vectors, and write all of them mapped, the map as a program, and a record of each.

    Args:
        vectors: What is to be mapped.
        output: A new `.npz` or `.npy`; the program goes beside it as `.pt2`.
        private: Columns to remove.
        keep: Columns to retain, for methods that can.
        method: `leace`, `rich`, `pairs` or `map`, or one with its settings; map if not given.
        options: Epochs, batch, identities to keep, unlabelled vectors, …; the seed also draws which rows fit where no
            column says it. Unlabelled vectors are not written: the program maps them.

    Raises:
        IreneError: Any of its kinds; nothing is written then.
    """
    options, output, private, keep = given_options(options), as_path(output), several(private), several(keep)
    name, method = named_method(method or choice(vectors.data, None, keep, options).method, options.name)
    _require_map(name, method)
    require_vectors_output(output)
    require_columns(vectors.data, None, private, keep)
    _require_moderate(vectors.name, blocks(vectors.values, AT_ONCE))
    if (more := options.unlabelled) is not None:
        readable = batches(more.inputs, batch_size=AT_ONCE, workers=0)
        _require_moderate(more.name, (x.numpy() for _, x in readable if isinstance(x, torch.Tensor)))
    rule = PartRule.of(identified(vectors.data, options.keep_identity), options.seed)
    options, data = prepared(options, vectors.data, method, None)
    may_fit = rule.rows(data, "train")
    fit = _marked(data.take(may_fit), rule).complete([*private, *keep])
    audited = data.take(np.setdiff1d(np.arange(len(data)), may_fit)).complete(private)
    notes = [*_notes(rule, len(fit), len(vectors.values)), *rule.in_both_parts(data)]
    with locked(*written(output), state_file(output)):
        model = nn.Sequential(OrderedDict({LAYER: nn.Identity()})).to(options.place)
        job = with_unlabelled(model, options.job(fit, None, LAYER, private, keep, method), options, [audited])
        resume_file = ResumeFile(state_file(output), request(name, vectors.sha256, job), options.resume)
        resume_file.require()
        try:
            outcome = fine_tune(model, job, resume_file=resume_file, track=options.track)
            if NAME not in dict(model.named_children()):
                raise TrainingError(f"The method {name} leaves no map. Take one of {', '.join(MAPS)}.")
            mapped = _mapped(model.cpu().eval(), vectors.values)
        except TrainingError as error:
            raise TrainingError(f"{error} {resume_file.remedy()}") from None
        done = record(name, vectors.sha256, model, job, outcome, notes=notes)
        x = torch.zeros(2, vectors.values.shape[1])
        content = exported(model, x, LAYER, program(output))
        _write(output, {vectors.name: mapped}, content, done)
    return done


def sanitize_embeddings(
    layers: Mapping[str, object],
    data: LabelledData,
    output: str | os.PathLike[str],
    *,
    private: str | Sequence[str],
    keep: str | Sequence[str] = (),
    method: str | Method | None = None,
    options: SanitizeOptions | None = None,
) -> Sanitizing:
    """Fit a map on some of the vectors that some model made, and write all of them mapped, and the map as a program.

    Args:
        layers: Vectors, (n, d), as an array, a tensor, a frame or a list, by the name that the result gives them.
        data: Their labels; its inputs are not looked at. A column `split` says which rows may fit; without one, half
            of the groups do.
        output: A new `.npz` or `.npy`; the program goes beside it as `.pt2`, and a record beside each.
        private: As of `sanitize`, and so are `keep` and `options`.
        method: `leace`, `rich`, `pairs` or `map`, or one with its settings; map if not given, with `keep` too.

    Raises:
        IreneError: Any of its kinds; nothing is written then.
    """
    found = given_layers(layers, data)
    if len(found) != 1:
        raise DataError(f"{len(found)} arrays of vectors were given, and a map is of one: {{'face': z}}.")
    ((name, given),) = found.items()
    values = np.ascontiguousarray(given)
    rows = replace(data, inputs=torch.from_numpy(values.astype(np.float32)))
    digest = describe_features(data, {name: values}).sha256
    return sanitize_vectors(
        Vectors(name, values, rows, digest), output, private=private, keep=keep, method=method, options=options
    )


def require_vectors_output(output: Path) -> None:
    """Raise an IreneError before the work if the result could not be written."""
    if output.suffix not in SUFFIXES:
        raise CheckpointError(f"Vectors are written as {' or '.join(SUFFIXES)}, and {output.name} is neither.")
    require_own(output)


def _require_moderate(name: str, values: Iterable[NDArray[np.floating]]) -> None:
    """Raise a DataError for values that could not be squared in float32."""
    for rows in values:
        if (found := float(np.abs(rows).max())) >= LARGEST:
            raise DataError(
                f"{name!r} holds values up to {found:.2g}, and from {LARGEST:.0e} on they cannot be squared in "
                "float32. Divide the vectors by a number first."
            )


def _require_map(name: str, method: Method) -> None:
    """Refuse a method of irene's own that changes an encoder: there is none."""
    place = f"{type(method).__module__}:{type(method).__qualname__}"
    if place in METHODS.values() and place not in [METHODS[one] for one in MAPS]:
        raise IreneError(
            f"The method {name} trains an encoder, and these are vectors without one. Take {', '.join(MAPS)}: they fit "
            "a map of vectors."
        )


def _notes(rule: PartRule, fit: int, rows: int) -> list[str]:
    return [
        f"The map was fitted on {fit} of {rows} rows, by {rule.told}; audit it on the others, as irene audit does",
        "The vectors that it was made from leak as before: give away those behind the map, or the map, and not these",
    ]


def _marked(data: LabelledData, rule: PartRule) -> LabelledData:
    """Write into the record which rows fitted the map."""
    return replace(data, options={**data.options, "part": "train", **rule.options})


def _write(output: Path, mapped: Mapping[str, NDArray[np.floating]], content: bytes, done: Sanitizing) -> None:
    """Write the vectors by their name, the program and a record of each; the state goes when all are in place."""
    with staged_together(written(output), last=state_file(output)) as stage:
        noted, staging = stage(sidecar(output)), stage(output)
        with staging.open("wb") as file:
            if output.suffix == ".npy":
                np.save(file, next(iter(mapped.values())))
            else:
                _save(file, mapped)
        noted.write_bytes(record_of(done, staging))
        staging = stage(program(output))
        staging.write_bytes(content)
        stage(sidecar(program(output))).write_bytes(record_of(done, staging))


def _save(file: IO[bytes], arrays: Mapping[str, NDArray[np.floating]]) -> None:
    """Write arrays as numpy.savez does, which takes some names (`file`, `allow_pickle`) for arguments of its own."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                write_array(member, values, allow_pickle=False)


def _mapped(model: nn.Module, values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return every vector behind the map, (n, d), in the type that they had."""
    found = np.empty(values.shape, dtype=values.dtype)
    start = 0
    with torch.inference_mode():
        for rows in blocks(values, AT_ONCE):
            x = torch.from_numpy(np.array(rows, dtype=np.float32))
            found[start : start + len(rows)] = model(x).numpy()
            start += len(rows)
    if not np.isfinite(found).all():
        raise TrainingError("The map makes NaN or infinity of some vectors. Scale them, or try another method.")
    return found
