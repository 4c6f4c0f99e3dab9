"""One sanitizing from end to end: load, fine-tune, write a checkpoint of the same make and its record."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from audit.atomic_write import require_writable, sha256
from audit.data.labelled import LabelledData
from audit.environment import versions
from audit.errors import CheckpointError, DataError, TrainingError
from audit.evidence.audit_result import Sanitizing, Sidecar, sidecar
from audit.evidence.json_file import write_model
from audit.model import release
from audit.model.checkpoint import LoadedModel, require_weights
from audit.model.forward import first_input
from audit.model.layers import Pool, suggest
from audit.model.state_dict import Weights, save_like
from audit.progress import Track, untracked
from sanitizer.export import export
from sanitizer.methods.base import Method
from sanitizer.methods.table import card_of, make_method, release_for
from sanitizer.training.loop import fine_tune
from sanitizer.training.resume import Kept
from sanitizer.training.step import Recipe


def sanitize(
    loaded: LoadedModel,
    data: LabelledData,
    output: Path,
    *,
    task: str,
    private: Sequence[str],
    keep: Sequence[str] = (),
    method: Method | None = None,
    name: str | None = None,
    layer: str | None = None,
    recipe: Recipe | None = None,
    pool: Pool = "mean",
    device: torch.device | None = None,
    resume: bool = False,
    track: Track = untracked,
) -> Sanitizing:
    """Fine-tune a loaded checkpoint, write it to `output` in the format it came in, and its record beside it.

    What a method leaves at the bottleneck (a code, an eraser) goes into the same file, under `irene.…`; a program of
    torch.export that needs no irene is then written beside it. The state after each epoch is kept beside it, too,
    until the result is written: a run that was stopped or killed goes on from there.

    Args:
        loaded: The checkpoint; its module is trained in place.
        data: Rows that no attacker will be judged on.
        output: A new file with the suffix of the old one.
        task: Column that the model predicts.
        private: Columns to remove.
        keep: Columns to keep readable, for methods that can.
        method: What removes them; if not given, the release for the task alone, or the rich one if something is kept.
        name: What the method is called in the record; its class if not given.
        layer: The bottleneck; the suggested one if not given.
        recipe: Epochs, batch, optimizer, seed.
        pool: How maps and tokens become one vector a row.
        device: Where to train; the CPU if not given.
        resume: Go on from the state that an earlier run left.
        track: Shows progress.

    Raises:
        IreneError: Any of its kinds; no result is written then, unless torch.export alone cannot follow the model.
    """
    recipe = recipe or Recipe()
    method = method or make_method(release_for(keep), {})
    name = name or type(method).__name__.lower()
    weights = require_weights(loaded)
    require_output(output, weights.path)
    _require_columns(data, task, private, keep)
    data = data.complete([task, *private, *keep])
    device = device or torch.device("cpu")
    model = loaded.module.to(device)
    if release.NAME in dict(model.named_children()):
        raise CheckpointError(
            f"{weights.path} was sanitized already and carries what stands at its bottleneck. Start from the "
            "checkpoint that it was made from."
        )
    x = first_input(model, data, rows=2)
    layer = layer or suggest(model, x)
    settings = _settings(data, task, private, keep, method, recipe)
    labels = data.labels_sha256([task, *private, *keep])
    asked = json.dumps([name, layer, pool, weights.sha256, labels, settings], default=str)
    kept = Kept(state_file(output), asked, resume)
    _require_state(kept)
    try:
        outcome = fine_tune(
            model,
            data,
            task=task,
            private=private,
            keep=keep,
            method=method,
            layer=layer,
            recipe=recipe,
            pool=pool,
            device=device,
            kept=kept,
            track=track,
        )
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        raise TrainingError(f"Fine-tuning diverged: {name} found no finite solution. {_remedy(kept)}") from None
    except TrainingError as error:
        raise TrainingError(f"{error} {_remedy(kept)}") from None
    _require_finite(weights, model)
    standing = dict(model.named_modules()).get(f"{release.NAME}.map")
    done = Sanitizing(
        method=name,
        card=card_of(method),
        settings=settings,
        layer=layer,
        parent_sha256=weights.sha256,
        trace=outcome.trace,
        chosen=outcome.chosen,
        release=None if standing is None else "code" if isinstance(standing, release.Code) else "map",
        head_accuracy=outcome.head_accuracy,
        head_rows=outcome.head_rows,
        data_fingerprint=labels,
        versions=versions(),
    )
    if int(os.environ.get("RANK", "0")) == 0:
        save_like(weights, model, output)
        write_model(Sidecar(sha256=sha256(output), sanitizing=done), sidecar(output))
        kept.path.unlink(missing_ok=True)
        if done.release:
            export(model.cpu(), x.cpu(), layer, program(output))
            write_model(Sidecar(sha256=sha256(program(output)), sanitizing=done), sidecar(program(output)))
    return done


def program(output: Path) -> Path:
    """Return where the program of a released model stands: beside its weights."""
    return output.with_suffix(".pt2")


def state_file(output: Path) -> Path:
    """Return where the state of a run is kept until its result is written."""
    return output.with_name(output.name + ".state")


def _require_columns(data: LabelledData, task: str, private: Sequence[str], keep: Sequence[str]) -> None:
    if not private:
        raise DataError("No private attribute was named. Name at least one, for instance --private gender.")
    if task in private:
        raise DataError(f"{task!r} is the task and cannot be private too: a model that does its task tells it.")
    for attribute in keep:
        if attribute in private:
            raise DataError(f"{attribute!r} is to be kept and to be removed. Name it once.")
    for kind, names in (("task", [task]), ("private", private), ("kept", keep)):
        for attribute in names:
            data.column(attribute, kind)


def _require_state(kept: Kept) -> None:
    """Fail where there is nothing to go on from, and where beginning anew would lose what an earlier run did."""
    if kept.resume and not kept.path.is_file():
        raise TrainingError(f"No state {kept.path} to go on from. Leave --resume out to begin.")
    if not kept.resume and kept.path.exists():
        raise TrainingError(
            f"{kept.path} is the state of a run that did not end. Go on with --resume, or remove it to begin anew."
        )


def _settings(
    data: LabelledData, task: str, private: Sequence[str], keep: Sequence[str], method: Method, recipe: Recipe
) -> dict[str, str | int | float | bool | None]:
    """Return everything that was chosen, flat."""
    chosen: dict[str, Any] = asdict(recipe) | {"freeze": ",".join(recipe.freeze)}
    chosen |= {"task": task, "private": ",".join(private), "keep": ",".join(keep)}
    chosen |= {"data": data.name, "data.rows": len(data)}
    chosen |= {f"data.{key}": value for key, value in data.options.items()}
    return chosen | {f"method.{key}": value for key, value in asdict(method).items()}  # type: ignore[call-overload]


def _remedy(kept: Kept) -> str:
    if kept.path.is_file():
        return f"No result was written; the state of the last good epoch is in {kept.path}."
    return "Nothing was written."


def _require_finite(weights: Weights, model: torch.nn.Module) -> None:
    """Fail on what the last step broke: no loss was taken after it."""
    state = model.state_dict()
    for key, old in weights.tensors.items():
        if old.is_floating_point() and not torch.isfinite(state[key].to(old.dtype)).all():
            raise TrainingError(
                f"Fine-tuning diverged: {key} became NaN or infinite. No result was written; try a smaller --lr or "
                "--weight."
            )


def require_output(output: Path, parent: Path) -> None:
    """Fail before the work if the result could not be written, or would overwrite what it came from.

    Raises:
        CheckpointError: Same file, or another format.
        IreneError: The folder cannot be written to.
    """
    if output.suffix == program(output).suffix:
        raise CheckpointError(
            f"{output.name} would be overwritten by a program of torch.export. Give it the suffix {parent.suffix!r}."
        )
    for path in (output, sidecar(output), program(output), sidecar(program(output)), state_file(output)):
        require_writable(path)
    if output.resolve() == parent.resolve():
        raise CheckpointError(f"{output} is the checkpoint itself and would be lost. Name another file with -o.")
    if (output.suffix == ".safetensors") != (parent.suffix == ".safetensors"):
        raise CheckpointError(
            f"{output.name} would not be in the format of {parent.name}. Give it the suffix {parent.suffix!r}."
        )
