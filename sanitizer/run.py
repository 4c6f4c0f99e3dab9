"""One sanitizing from end to end: load, fine-tune, write a checkpoint of the same make and its record."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from glob import escape
from pathlib import Path

import numpy as np
import torch
from torch import nn

from audit.atomic_write import as_path, locked, require_writable, sha256, staged_together, would_be_lost
from audit.column_names import several
from audit.data.columns import AnyColumn, Column, Ints, Undecided
from audit.data.labelled import LabelledData, require_labelled
from audit.data.loading import readable
from audit.data.model_input import ModelInput, to
from audit.errors import CheckpointError, DataError, EvidenceError, TrainingError
from audit.evidence.audit_result import Sanitizing, read_sidecar, sidecar
from audit.model import release
from audit.model.checkpoint import LoadedModel
from audit.model.forward import first_input, with_arguments
from audit.model.state_dict import Weights, write_like
from audit.model.structure.label_names import in_named_order
from audit.model.structure.listing import suggest
from audit.model.structure.scores import Answer
from audit.parallel.ranks import is_first
from audit.verification.verification import identified
from sanitizer.checkpoint import require_finite, require_unsanitized
from sanitizer.export import exported
from sanitizer.job import TrainingJob, require_classes
from sanitizer.method_table import (
    Choice,
    as_method,
    make_method,
    release_for,
    require_task_kind,
    require_teachable,
    require_without_task,
    task_kind,
)
from sanitizer.methods.base import Method
from sanitizer.methods.leace import Leace
from sanitizer.methods.nonlinear_map import NonlinearMap
from sanitizer.methods.pairs import Pairs
from sanitizer.options import SanitizeOptions, given_options
from sanitizer.record import record, record_of, request
from sanitizer.teaching.taught import taught
from sanitizer.training.forward import require_trainable
from sanitizer.training.loop import Outcome, fine_tune
from sanitizer.training.resume import ResumeFile
from sanitizer.training.step import AS_IT_IS
from sanitizer.training.task_check import require_task


def sanitize(
    loaded: LoadedModel,
    data: LabelledData,
    output: str | os.PathLike[str],
    *,
    task: str | None = None,
    private: str | Sequence[str],
    keep: str | Sequence[str] = (),
    method: str | Method | None = None,
    options: SanitizeOptions | None = None,
) -> Sanitizing:
    """Fine-tune a loaded checkpoint, write it to `output` in the format it came in, and its record beside it.

    A release module that a method leaves at the bottleneck (a code, an eraser) goes into the same file, under
    `irene.…`, and the model's own weights under `irene.encoder.`, so that no plain architecture takes them
    without it. A program of torch.export that needs no irene is then written beside it. These files appear together,
    and none of an earlier run stands beside them. The state after each epoch is saved beside them until all are in
    place: a run that was stopped or killed is resumed from there. Two runs do not write the same files. A model that
    is no better at its task than a constant answer is refused before a step is trained.

    Args:
        loaded: The checkpoint; its module is trained in place.
        data: Rows that no attacker will be judged on.
        output: A new file with the suffix of the old one.
        task: Column that the model predicts; without one, the geometry of the untouched model is kept.
        private: Columns to remove.
        keep: Columns to retain, for methods that can.
        method: A name as `irene sanitize` takes it, or a method with its settings; if not given, the release for the
            task alone (codebook), the one that retains attributes (pairs; rich of few rows, or for a task that is a
            quantity) if `keep` names any, or map without a task.
        options: Epochs, batch, optimizer, layer, device, unlabelled rows, …

    Raises:
        IreneError: Any of its kinds; no result is written then, unless torch.export alone cannot follow the model.
    """
    require_labelled(data)
    options, output, private, keep = given_options(options), as_path(output), several(private), several(keep)
    weights = require_unsanitized(loaded)
    require_output(output, weights.path)
    require_columns(data, task, private, keep)
    name, method = named_method(method or choice(data, task, keep, options).method, options.name)
    options, data = prepared(options, readable(data, workers=options.workers), method, task)
    data = in_named_order(loaded.module, data.complete([*([task] if task else []), *private, *keep]), task)
    first = is_first()
    with locked(*written(output), state_file(output)) if first else nullcontext():
        model = loaded.module.to(options.place)
        x = first_input(model, data := with_arguments(model, data), rows=2)
        job = options.job(data, task, options.layer or _suggested(model, x, data, task, options), private, keep, method)
        require_task_kind(method, job.answer)
        require_trainable(model, job)
        if not options.allow_chance:
            require_task(model, job)
        job = with_unlabelled(model, job, options)
        resume_file = ResumeFile(state_file(output), request(name, weights.sha256, job), options.resume)
        resume_file.require()
        outcome = _tuned(weights, model, job, resume_file, options)
        done = record(name, weights.sha256, model, job, outcome)
        if first:
            _write(weights, model, x, done, output)
    return done


def _tuned(
    weights: Weights, model: nn.Module, job: TrainingJob, resume_file: ResumeFile, options: SanitizeOptions
) -> Outcome:
    """Fine-tune the model; a TrainingError says how to go on."""
    try:
        outcome = fine_tune(model, job, resume_file=resume_file, track=options.track)
        if not job.recipe.epochs and release.NAME not in dict(model.named_children()):
            raise TrainingError(f"--epochs 0 trains nothing, and the method leaves no release. {AS_IT_IS}")
        require_finite(weights, model)
    except TrainingError as error:
        raise TrainingError(f"{error} {resume_file.remedy()}") from None
    return outcome


def with_unlabelled(
    model: nn.Module, job: TrainingJob, options: SanitizeOptions, barred: Sequence[LabelledData] = ()
) -> TrainingJob:
    """Return a job with the unlabelled rows of the options, if there are any, that teachers label.

    Rows that will be audited, if they are known, are `barred`: no others of their groups are used.
    """
    if options.unlabelled is None:
        return job
    require_labelled(options.unlabelled)
    require_teachable(job.method, options.unlabelled, job.task, job.keep)
    return taught(model, job, with_arguments(model, options.unlabelled), barred=barred)


def _suggested(model: nn.Module, x: ModelInput, data: LabelledData, task: str | None, options: SanitizeOptions) -> str:
    outputs = Answer.of(data, task, options.scores).outputs if task else None
    return suggest(model, x, classes=outputs, output=options.output)


def prepared(
    options: SanitizeOptions, data: LabelledData, method: Method, task: str | None
) -> tuple[SanitizeOptions, LabelledData]:
    """Return the options and rows of a run, without a task those that keep geometry: rows are of people, if named.

    Raises:
        IreneError: The method works by a task's classes and there is none, or the column holds no identities.
    """
    if task is not None and options.keep_identity is not None:
        raise DataError("Identities are kept in the place of a task. Leave --keep-identity or --task out.")
    if trains_nothing(method, task):
        options = replace(options, epochs=0, batch_size=2)
    if task is not None:
        return options, data
    require_without_task(method)
    if options.keep_identity is None:
        return options, data
    data = identified(data, options.keep_identity)
    person, named = data.grouped_by(options.keep_identity).groups(), data.columns[options.keep_identity]
    first = np.unique(person, return_index=True)[1]
    people = Column(person, _names(named.column if isinstance(named, Undecided) else named, first))
    return options, replace(data, columns={**data.columns, options.keep_identity: people})


def trains_nothing(method: Method, task: str | None) -> bool:
    """Return whether a map is all that is fitted: by `map` always, by what fits one at the end where no task is."""
    return isinstance(method, NonlinearMap) or (task is None and isinstance(method, Leace | Pairs))


def _names(column: AnyColumn, rows: Ints) -> tuple[str, ...]:
    """Return what a column says in some rows, in words; of a row that it does not know, its number."""
    if isinstance(column, Column):
        of_class = (*column.classes, "")  # a code of -1 is the last
        return tuple(of_class[code] or f"row {row}" for row, code in zip(rows, column.codes[rows], strict=True))
    return tuple(f"{value:g}" for value in column.values[rows])


def program(output: Path) -> Path:
    """Return the path of a released model's program: beside its weights."""
    return output.with_suffix(".pt2")


def written(output: Path) -> tuple[Path, ...]:
    """Return every file that a run may write: the record of the weights, these, a release's program, and its record.

    The record comes before the weights, so that a killed run leaves none by which they are not known again.
    """
    return sidecar(output), output, program(output), sidecar(program(output))


def state_file(output: Path) -> Path:
    """Return the path of a run's state until its result is written."""
    return output.with_name(output.name + ".state")


def require_columns(data: LabelledData, task: str | None, private: Sequence[str], keep: Sequence[str]) -> None:
    """Raise an IreneError for columns that are not there, or play two parts."""
    several([] if task is None else [task])  # it is a text
    if not private:
        raise DataError("No private attribute was named. Name at least one, for instance --private gender.")
    if task in private:
        raise DataError(f"{task!r} is the task and cannot be private too: a model that does its task tells it.")
    for attribute in keep:
        if attribute in private:
            raise DataError(f"{attribute!r} is to be kept and to be removed. Name it once.")
    require_classes(task, private, keep, data)


def choice(data: LabelledData, task: str | None, keep: Sequence[str], options: SanitizeOptions) -> Choice:
    """Return the release of a model for which nobody named a method."""
    kind = task_kind(Answer.of(data, task, options.scores)) if task else None
    return release_for(keep, kind, len(np.unique(data.groups())))


def named_method(method: str | Method, name: str | None) -> tuple[str, Method]:
    """Return the method and its name for the record."""
    if isinstance(method, str):
        return name or method, make_method(method, {})
    return name or type(method).__name__.lower(), as_method(method, "The method is")


def _write(weights: Weights, model: nn.Module, x: ModelInput, done: Sanitizing, output: Path) -> None:
    """Write the weights, a release's program and a record of each; the state goes when all of them are in place.

    Where torch.export alone cannot follow the model, the weights and their record are written before it raises.
    """
    failed: CheckpointError | None = None
    with staged_together(written(output), last=state_file(output)) as stage:
        noted, staging = stage(sidecar(output)), stage(output)
        write_like(weights, model, staging, output.suffix)
        noted.write_bytes(record_of(done, staging))
        if done.release:
            try:
                content = exported(model.cpu(), to(x, torch.device("cpu")), done.layer, program(output))
            except CheckpointError as error:
                failed = error
            else:
                staging = stage(program(output))
                staging.write_bytes(content)
                stage(sidecar(program(output))).write_bytes(record_of(done, staging))
    if failed is not None:
        raise failed


def require_own(output: Path) -> None:
    """Raise an IreneError if a file of the set cannot be written, or is there and was left by no run of the sanitizer.

    The program of an earlier run may stand without its record, where that run was killed between the two.
    """
    for path in (*written(output), state_file(output)):
        require_writable(path)
    records = {}
    for path in (output, program(output)):
        if sidecar(path).exists():
            try:
                records[path] = read_sidecar(sidecar(path))
            except EvidenceError:
                raise CheckpointError(
                    f"{sidecar(path)} is there already, is no record of {path.name} and would be lost. Name another "
                    "file with -o."
                ) from None
    own, beside = records.get(program(output)), records.get(output)
    if output.exists() and (beside is None or beside.sha256 != sha256(output)):
        raise would_be_lost(output)
    if not program(output).exists():
        return
    is_own = own.sha256 == sha256(program(output)) if own else beside is not None and bool(beside.sanitizing.release)
    if not is_own:
        raise CheckpointError(
            f"{program(output)} is there already, is no work of the sanitizer and would be lost: a release's program "
            "takes that name. Name another file with -o."
        )


def require_output(output: Path, parent: Path) -> None:
    """Raise an IreneError before the work if the result could not be written, or would overwrite its parent."""
    if output.suffix == program(output).suffix:
        raise CheckpointError(
            f"{output.name} would be overwritten by a program of torch.export. Give it the suffix {parent.suffix!r}."
        )
    if output.resolve() == parent.resolve():
        raise CheckpointError(f"{output} is the checkpoint itself and would be lost. Name another file with -o.")
    require_own(output)
    for other in output.parent.glob(f"{escape(output.stem)}.*"):
        if program(output).exists() and other not in written(output) and sidecar(other).exists():
            raise CheckpointError(
                f"{program(output)} is the program of {other.name} and would be lost. Name another file with -o."
            )
    if (output.suffix == ".safetensors") != (parent.suffix == ".safetensors"):
        raise CheckpointError(
            f"{output.name} would not be in the format of {parent.name}. Give it the suffix {parent.suffix!r}."
        )
