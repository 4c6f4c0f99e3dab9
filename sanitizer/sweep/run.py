"""Utility against fresh leakage: every method at every weight from one checkpoint, judged on the same rows."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import joblib
from torch import nn

from audit.atomic_write import as_path, locked, require_writable, staged_together, would_be_lost
from audit.column_names import several
from audit.data.labelled import LabelledData, require_labelled
from audit.data.loading import have_same_inputs, readable
from audit.environment import describe_device, versions
from audit.errors import CheckpointError, DataError, EvidenceError, TrainingError, require_kind
from audit.evidence.audit_result import AuditResult
from audit.evidence.json_file import as_json, sealed
from audit.evidence.sweep_result import Sweep, SweepCall, SweepPoint, SweepSetup, read_sweep
from audit.model.checkpoint import LoadedModel
from audit.model.forward import first_input, with_arguments
from audit.model.structure.label_names import in_named_order
from audit.model.structure.listing import suggest
from audit.model.structure.scores import Answer
from audit.parallel.backends import imported, workers
from audit.parallel.ranks import process_count
from audit.parallel.side_by_side import in_order
from audit.progress import Track, untracked
from audit.request import AuditRequest
from audit.settings import Settings
from sanitizer.checkpoint import require_unsanitized
from sanitizer.job import require_classes
from sanitizer.methods.plain import Plain
from sanitizer.options import SweepOptions
from sanitizer.sweep.input_cache import cache_inputs
from sanitizer.sweep.point import PointRequest, SweepJob, make_point, now, rehearse, requests
from sanitizer.training.task_check import require_task

WORDS = {
    "audit_rows": "number of audited rows",
    "audit_labels": "labels of the audited rows",
    "train_rows": "number of training rows",
    "train_labels": "labels of the training rows",
    "private": "private attributes",
    "keep": "kept attributes",
    "output": "part of what the model returns",
}
"""What the fields of a setup are called where two differ, if not by their own names."""
MEASURED = ("bootstrap", "null_refits", "fit_rows", "test_rows", "null_rows", "min_class", "merge_rare")
"""Settings of the audits that the protocol of a sweep records, and its setup does not."""
HASH = 12
"""Digits of a SHA-256 that a message shows."""


def sweep(
    fresh: Callable[[], LoadedModel],
    train: LabelledData,
    audited: LabelledData,
    output: str | os.PathLike[str],
    *,
    methods: str | Sequence[str] | Mapping[str, Sequence[float]],
    task: str,
    private: str | Sequence[str],
    options: SweepOptions | None = None,
) -> Iterator[tuple[SweepPoint, bool]]:
    """Yield the finished points of `output`, then train, audit and save each missing one: iterate over it.

    The first point is the checkpoint as it is. Every other one is a fresh copy of it, fine-tuned, and then audited by
    attackers trained from scratch, with the same rows, splits and seed for all. One whose training diverges is
    recorded with the reason. No weights are written. With each point comes whether it was made now.

    Args:
        fresh: Loads the checkpoint anew.
        train: Rows that no attacker is judged on.
        audited: Rows that no point is trained on.
        output: A new `.json`, or that of an earlier call with the same settings.
        methods: Names, as `irene sanitize` takes them, or each with its removal weights: {"irene": [0.5, 2], "plain":
            []}; without weights, a method is at its own.
        task: Column that the model predicts.
        private: Columns to remove.
        options: Epochs, batch, optimizer, layer, retained columns, audit settings, …

    Raises:
        IreneError: Any of its kinds; the points that were made before it stay in `output`.
    """
    _require_kinds(fresh, options)
    options, output = options or SweepOptions(), as_path(output)
    require_output(output)
    with locked(output), imported(options.backend, __name__) as ready:
        if process_count() > 1:
            raise TrainingError("A sweep runs in one process. Start it without torchrun.")
        wanted = requests(methods if isinstance(methods, Mapping) else dict.fromkeys(several(methods), ()))
        loaded = fresh()
        job = _job(fresh, loaded, train, audited, task=task, private=private, options=options)
        setup = _setup(loaded, job)
        del loaded  # a large model on a device need not be there twice
        done = _earlier(output, setup, job.settings, wanted)
        missing = [one for one in wanted if done is None or done.find(one.name, one.weight) is None]
        if done is not None:
            yield from ((point, False) for point in done.points)
        if not missing:
            return
        job = _in_memory(job, options.budget, options.track)
        rehearse(job, missing)
        device = describe_device(job.training.device)
        planned = [one.title for one in wanted]
        call = SweepCall(created=now(), command=options.command, versions=versions(), device=device, planned=planned)
        place = len(done.calls) if done else 0
        ready()
        for point, result in _made(missing, job, options, parent=setup.checkpoint, call=place):
            done = _with(done, point, result, setup, call)
            with staged_together([output, output.with_suffix(".svg")]) as stage:  # an old chart shows other points
                stage(output).write_bytes(as_json(sealed(done)))
            yield point, True


def _made(
    wanted: Sequence[PointRequest], job: SweepJob, options: SweepOptions, *, parent: str, call: int
) -> Iterator[tuple[SweepPoint, AuditResult | None]]:
    """Yield points in the order in which they are asked for: made one after the other, or each by a worker."""
    if options.backend == "threads":
        for one in wanted:
            yield make_point(one, job, parent=parent, call=call, track=options.track)
        return

    def made(one: PointRequest) -> tuple[SweepPoint, AuditResult | None]:
        with joblib.parallel_config("sequential"):  # the other cores have points of their own
            return make_point(one, job, parent=parent, call=call, track=untracked)

    with workers(options.backend, __name__):
        yield from options.track(in_order(made, wanted), len(wanted), "points")


def _require_kinds(fresh: object, options: SweepOptions | None) -> None:
    """Refuse what is no function that loads, and what are no options."""
    if options is not None:
        require_kind(options, SweepOptions, "The options are", "Give irene.SweepOptions(epochs=30), for instance.")
    if isinstance(fresh, nn.Module) or not callable(fresh):
        raise CheckpointError(
            f"A {type(fresh).__name__} was given in the place of what loads the checkpoint anew for every point. Give "
            "a function: lambda: irene.load(path, build)."
        )


def _job(
    fresh: Callable[[], LoadedModel],
    loaded: LoadedModel,
    train: LabelledData,
    audited: LabelledData,
    *,
    task: str,
    private: str | Sequence[str],
    options: SweepOptions,
) -> SweepJob:
    """Look up columns and bottleneck, and fail on what cannot be trained or audited before any work is done."""
    settings = replace(options.settings, seed=options.seed, ceiling=False)
    for rows in (train, audited):
        require_labelled(rows)
    several(task)  # it is a text
    train, audited = (in_named_order(loaded.module, rows, task) for rows in (train, audited))
    asked = AuditRequest.of(audited, task, private, options.keep, settings)
    if settings.budget is not None:
        raise DataError(
            "A sweep's points are measured alike, and a budget of seconds lets as many rows fit attackers as the pace "
            "of the machine allows at each. Give fit_rows."
        )
    answer = Answer.of(audited, task, options.scores)
    if answer.classes is None:
        raise DataError(
            f"A sweep draws accuracies, and {task!r} is a quantity. Sanitize and audit once for each weight, or cut "
            "the column into classes."
        )
    asked.require_rows(audited, settings)
    require_classes(task, asked.private, asked.keep, audited, train)
    _require_apart(train, audited, [task, *asked.audited])
    train = readable(train, workers=options.workers)
    require_classes(task, asked.private, asked.keep, train)
    require_unsanitized(loaded)
    model = loaded.module.to(options.place)
    audited, train = with_arguments(model, audited), with_arguments(model, train)
    x = first_input(model, audited)  # fails on rows that the model does not take, even where the layer is named
    layer = options.layer or suggest(model, x, classes=answer.outputs, output=options.output)
    training = options.job(train.complete([task, *asked.audited]), task, layer, asked.private, asked.keep, Plain())
    if not options.allow_chance:
        require_task(model, training)
    return SweepJob(fresh, training, audited, settings, options.limit_set_by)


def _require_apart(train: LabelledData, audited: LabelledData, columns: Sequence[str]) -> None:
    """Refuse to audit the very rows that train: by their labels and groups, and by inputs from all over them."""
    if train.labels_sha256(columns) == audited.labels_sha256(columns) and have_same_inputs(train, audited):
        raise DataError(
            f"The {len(train)} rows of {train.name} are given to train on and to audit on. Audit others: of rows that "
            "trained a point, attackers read less than of people whom it has not seen."
        )


def require_output(output: Path) -> None:
    """Raise an IreneError before the work if the file is no `.json`, cannot be written, or takes a picture away."""
    if output.suffix != ".json":
        raise EvidenceError(
            f"{output} is not a .json file. Name one with -o, for instance out/sweep.json; the chart goes beside it."
        )
    for path in (output, output.with_suffix(".svg")):
        require_writable(path)
    if output.with_suffix(".svg").exists() and not output.exists():  # one of ours stands beside its sweep
        raise would_be_lost(output.with_suffix(".svg"))


def _setup(loaded: LoadedModel, job: SweepJob) -> SweepSetup:
    """Return what a later call must ask for, too; how many processes read inputs counts where they also draw."""
    training, recipe, audited = job.training, job.training.recipe, job.audited
    aside = ("seed", "freeze", *(["workers"] if recipe.augment == "none" else []))
    settings: dict[str, Any] = {name: value for name, value in asdict(recipe).items() if name not in aside}
    settings |= {
        name: value for name in ("padding", "scores", "output") if (value := getattr(training, name)) is not None
    }
    return SweepSetup(
        checkpoint=loaded.sha256,
        architecture=loaded.architecture,
        data=audited.name,
        options=dict(audited.options),
        group=audited.group_name,
        audit_rows=len(audited),
        audit_labels=audited.labels_sha256(training.named),
        train_rows=len(training.data),
        train_labels=training.data.labels_sha256(training.named),
        task=training.task or "",
        private=list(training.private),
        keep=list(training.keep),
        layer=training.layer,
        pool=training.pool,
        attackers=list(job.settings.attackers),
        limit=job.settings.limit,
        seed=recipe.seed,
        recipe=settings | {"freeze": ",".join(recipe.freeze)},
    )


def _earlier(output: Path, setup: SweepSetup, settings: Settings, wanted: Sequence[PointRequest]) -> Sweep | None:
    """Return the sweep of earlier calls, if there is one; an EvidenceError if it is another, or no sweep."""
    if not output.exists():
        return None
    try:
        found = read_sweep(output, allow_unsealed=True)
    except EvidenceError as error:
        raise EvidenceError(f"{error} Or name another file with -o.") from None
    unlike = _differences(found.setup.model_dump(), setup.model_dump())
    there, now = ({name: getattr(one, name) for name in MEASURED} for one in (found.protocol, settings))
    unlike += _differences(there, now)
    for one in wanted:
        if point := found.find(one.name, one.weight):
            unlike += _differences(point.settings, one.settings, f" of {one.title}")
    if unlike:
        raise EvidenceError(
            f"{output} is a sweep with another {' and another '.join(unlike)}. Ask for the same, or name another file "
            "with -o."
        )
    return found


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], of: str = "") -> list[str]:
    """Name what differs, with what is there and what is asked for now; settings within settings by their own names."""
    found = []
    for name in dict.fromkeys([*there, *here]):
        old, new = there.get(name), here.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new)
        elif old != new:
            found.append(f"{WORDS.get(name, name)}{of} ({_shown(old)} there, {_shown(new)} now)")
    return found


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return value[:HASH] if isinstance(value, str) and len(value) == 64 else str(value)


def _in_memory(job: SweepJob, budget: int, track: Track) -> SweepJob:
    """Decode the inputs once for all points, as far as they fit."""
    workers = job.training.recipe.workers
    train, size = cache_inputs(job.training.data, budget=budget, workers=workers, track=track)
    audited, _ = cache_inputs(job.audited, budget=budget - size, workers=workers, track=track)
    return replace(job, training=replace(job.training, data=train), audited=audited)


def _with(
    done: Sweep | None, point: SweepPoint, result: AuditResult | None, setup: SweepSetup, call: SweepCall
) -> Sweep:
    """Return a sweep with one more point, which must be of the same inputs; the untouched checkpoint begins it."""
    if done is None:
        assert result is not None and result.task is not None  # it has a task, and is audited or raises
        return Sweep(
            setup=setup,
            checkpoint=result.checkpoint,
            data=result.data,
            protocol=result.protocol,
            task_chance=result.task.chance,
            warnings=result.warnings,
            calls=[call],
            points=[point],
        )
    if result is not None and result.data.fingerprint != done.data.fingerprint:
        raise EvidenceError(
            f"The inputs of {done.data.name} are not those that the points so far were audited on. Restore them, or "
            "name another file with -o."
        )
    calls = done.calls if point.call < len(done.calls) else [*done.calls, call]
    return done.model_copy(update={"points": [*done.points, point], "calls": calls})
