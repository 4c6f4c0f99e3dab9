"""Utility against fresh leakage: every method at every weight from one checkpoint, judged on the same rows."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import torch

from audit.atomic_write import require_writable
from audit.data.labelled import LabelledData
from audit.environment import describe_device, versions
from audit.errors import CheckpointError, EvidenceError, TrainingError
from audit.evidence.audit_result import AuditResult
from audit.evidence.json_file import write_model
from audit.evidence.sweep_result import Sweep, SweepCall, SweepPoint, SweepSetup, read_sweep, title
from audit.model import release
from audit.model.checkpoint import LoadedModel, require_weights
from audit.model.forward import first_input
from audit.model.layers import Pool, suggest
from audit.progress import Track, untracked
from audit.request import AuditRequest
from audit.settings import Settings
from sanitizer.sweep.input_cache import BUDGET, remember
from sanitizer.sweep.point import Bench, Trial, now, rehearse, run, trials
from sanitizer.training.step import Recipe

WORDS = {
    "audit_rows": "number of audited rows",
    "audit_labels": "labels of the audited rows",
    "train_rows": "number of training rows",
    "train_labels": "labels of the training rows",
    "private": "private attributes",
    "keep": "kept attributes",
}
"""What the fields of a setup are called where two differ, if not by their own names."""
HASH = 12
"""Digits of a SHA-256 that a message shows."""


def sweep(
    fresh: Callable[[], LoadedModel],
    train: LabelledData,
    audited: LabelledData,
    output: Path,
    *,
    methods: Sequence[str],
    weights: Sequence[float] = (),
    task: str,
    private: Sequence[str],
    keep: Sequence[str] = (),
    layer: str | None = None,
    recipe: Recipe | None = None,
    settings: Settings | None = None,
    pool: Pool = "mean",
    device: torch.device | None = None,
    limit_set_by: Literal["user", "default"] = "user",
    command: str = "",
    budget: int = BUDGET,
    track: Track = untracked,
) -> Iterator[tuple[SweepPoint, bool]]:
    """Yield the points that `output` holds, then make those that it lacks, and write it whole after each.

    The first point is the checkpoint as it is. Every other one is a fresh copy of it, fine-tuned, and then audited by
    attackers trained from scratch, with the same rows, splits and seed for all. One whose training diverges is
    recorded with the reason. No weights are written. With each point comes whether it was made now.

    Args:
        fresh: Loads the checkpoint anew.
        train: Rows that no attacker is judged on.
        audited: Rows that no point is trained on.
        output: A new `.json`, or that of an earlier call with the same settings.
        methods: Names, as `irene sanitize` takes them.
        weights: For every method that takes one; each method's own if there are none.
        task: Column that the model predicts.
        private: Columns to remove.
        keep: Columns to keep readable, for methods that can.
        layer: The bottleneck; the suggested one if not given.
        recipe: Epochs, batch, optimizer; its seed is that of the audits too.
        settings: Attackers and limit; the raw input is not attacked.
        pool: How maps and tokens become one vector a row.
        device: Where to train; the CPU if not given.
        limit_set_by: Who chose the limit.
        command: What was run, for the record.
        budget: Bytes of memory for decoded inputs; what does not fit is decoded anew for every pass.
        track: Shows progress.

    Raises:
        IreneError: Any of its kinds; the points that were made before it stay in `output`.
    """
    require_output(output)
    _require_one_process()
    wanted = trials(methods, weights)
    recipe = recipe or Recipe()
    settings = replace(settings or Settings(), seed=recipe.seed, ceiling=False)
    loaded, device = fresh(), device or torch.device("cpu")
    asked = AuditRequest.of(audited, task, private, keep, settings)
    asked.require_rows(audited, settings)
    _require_classes(train, audited, asked)
    bench = Bench(
        fresh=fresh,
        train=train.complete([task, *asked.audited]),
        audited=audited,
        task=task,
        private=asked.private,
        keep=asked.keep,
        layer=_layer(loaded, audited, layer, device),
        pool=pool,
        recipe=recipe,
        settings=settings,
        limit_set_by=limit_set_by,
        device=device,
    )
    setup = _setup(loaded, bench)
    del loaded  # a large model on a device need not be there twice
    done = _earlier(output, setup, wanted)
    missing = [one for one in wanted if done is None or done.find(one.method, one.weight) is None]
    if done is not None:
        yield from ((point, False) for point in done.points)
    if not missing:
        return
    bench = _in_memory(bench, budget, track)
    rehearse(bench)
    call = SweepCall(created=now(), command=command, versions=versions(), device=describe_device(device))
    place = len(done.calls) if done else 0
    for one in missing:
        point, result = run(one, bench, parent=setup.checkpoint, call=place, track=track)
        done = _with(done, point, result, setup, call)
        write_model(done, output)
        yield point, True


def require_output(output: Path) -> None:
    """Fail before the work if the sweep could not be written.

    Raises:
        EvidenceError: The file is no `.json`.
        IreneError: Its folder cannot be written to.
    """
    if output.suffix != ".json":
        raise EvidenceError(
            f"{output} is not a .json file. Name one with -o, for instance out/sweep.json; the chart goes beside it."
        )
    require_writable(output)


def _require_one_process() -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError("A sweep runs in one process. Start it without torchrun.")


def _require_classes(train: LabelledData, audited: LabelledData, asked: AuditRequest) -> None:
    """Fail on a column that is continuous, or of one class only in the rows that train."""
    for kind, names in (("task", [asked.task or ""]), ("private", asked.private), ("kept", asked.keep)):
        for name in names:
            for rows in (audited, train):
                rows.column(name, kind)


def _layer(loaded: LoadedModel, data: LabelledData, layer: str | None, device: torch.device) -> str:
    """Return the bottleneck of a model that takes these rows, and that nothing was put into yet."""
    path = require_weights(loaded).path
    if release.NAME in dict(loaded.module.named_children()):
        raise CheckpointError(
            f"{path} was sanitized already and carries what stands at its bottleneck. Start from the checkpoint that "
            "it was made from."
        )
    model = loaded.module.to(device)
    x = first_input(model, data)
    return layer or suggest(model, x)


def _setup(loaded: LoadedModel, bench: Bench) -> SweepSetup:
    """Return what a later call must ask for, too; how many processes read inputs counts where they also draw."""
    columns = [bench.task, *bench.private, *bench.keep]
    aside = ("seed", "freeze", *(["workers"] if bench.recipe.augment == "none" else []))
    recipe: dict[str, Any] = {name: value for name, value in asdict(bench.recipe).items() if name not in aside}
    return SweepSetup(
        checkpoint=loaded.sha256,
        architecture=loaded.architecture,
        data=bench.audited.name,
        options=dict(bench.audited.options),
        group=bench.audited.group_name,
        audit_rows=len(bench.audited),
        audit_labels=bench.audited.labels_sha256(columns),
        train_rows=len(bench.train),
        train_labels=bench.train.labels_sha256(columns),
        task=bench.task,
        private=list(bench.private),
        keep=list(bench.keep),
        layer=bench.layer,
        pool=bench.pool,
        attackers=list(bench.settings.attackers),
        limit=bench.settings.limit,
        seed=bench.recipe.seed,
        recipe=recipe | {"freeze": ",".join(bench.recipe.freeze)},
    )


def _earlier(output: Path, setup: SweepSetup, wanted: Sequence[Trial]) -> Sweep | None:
    """Return the sweep of earlier calls, if there is one.

    Raises:
        EvidenceError: The file holds something else, or was made with other settings.
    """
    if not output.exists():
        return None
    try:
        found = read_sweep(output)
    except EvidenceError as error:
        raise EvidenceError(f"{error} Or name another file with -o.") from None
    there, here = found.setup.model_dump(), setup.model_dump()
    unlike = _differences(there, here)
    for one in wanted:
        point = found.find(one.method, one.weight)
        if point is not None:
            unlike += _differences(
                *(
                    {f"{name} of {title(one.method, one.weight)}": value for name, value in settings.items()}
                    for settings in (point.settings, one.settings)
                )
            )
    if unlike:
        raise EvidenceError(
            f"{output} is a sweep with another {' and another '.join(unlike)}. Ask for the same, or name another file "
            "with -o."
        )
    return found


def _differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """Name what differs, with what is there and what is asked for now; settings within settings by their own names."""
    found = []
    for name in dict.fromkeys([*there, *here]):
        old, new = there.get(name), here.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new)
        elif old != new:
            found.append(f"{WORDS.get(name, name)} ({_shown(old)} there, {_shown(new)} now)")
    return found


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return value[:HASH] if isinstance(value, str) and len(value) == 64 else str(value)


def _in_memory(bench: Bench, budget: int, track: Track) -> Bench:
    """Decode the inputs once for all points, as far as they fit."""
    workers = bench.recipe.workers
    train, taken = remember(bench.train, budget=budget, workers=workers, track=track)
    audited, _ = remember(bench.audited, budget=budget - taken, workers=workers, track=track)
    return replace(bench, train=train, audited=audited)


def _with(
    done: Sweep | None, point: SweepPoint, result: AuditResult | None, setup: SweepSetup, call: SweepCall
) -> Sweep:
    """Return a sweep with one more point; the first one, the untouched checkpoint, begins it.

    Raises:
        EvidenceError: It was audited on other inputs than the points before.
    """
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
