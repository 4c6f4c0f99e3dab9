"""One sanitizing from end to end: load, fine-tune, write a checkpoint of the same make and its record."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, cast

import torch

from audit.bottleneck import Pool, suggest
from audit.checkpoint import LoadedModel, require_weights, sidecar
from audit.data import LabelledData
from audit.errors import CheckpointError, DataError, IreneError, TrainingError
from audit.evidence import Sanitizing, Sidecar, write_model
from audit.features import Track, first_input, untracked
from audit.files import require_writable, sha256
from audit.machine import versions
from audit.naming import call, resolve
from audit.weights import Weights, save_like
from sanitizer.methods.removal import Method
from sanitizer.training import Recipe, fine_tune

METHODS = {
    "kernel": "sanitizer.methods.kernel:Kernel",
    "irene": "sanitizer.methods.irene:Irene",
    "plain": "sanitizer.methods.plain:Plain",
}
REMEDY = "Nothing was written; try a smaller --lr or --weight."


def make_method(name: str, options: Mapping[str, Any]) -> Method:
    """Return a method with the user's settings.

    Raises:
        UnknownNameError: No such method, or it has no such setting.
        IreneError: What was named makes no method, or not with these settings.
    """
    named = resolve(name, "method", METHODS)
    try:
        made = call(named, options, f"method {name}")
    except (TypeError, ValueError) as error:
        raise IreneError(f"Method {name} cannot be made with {dict(options)}: {error}. Give its settings.") from None
    if not is_dataclass(made) or not {"weight", "start"} <= set(dir(made)):
        raise IreneError(
            f"{name} gave a {type(made).__name__}, not a method. Name a dataclass with `weight` and `start`, "
            "as sanitizer.methods.removal describes it."
        )
    return cast(Method, made)


def sanitize(
    loaded: LoadedModel,
    data: LabelledData,
    output: Path,
    *,
    task: str,
    methods: Mapping[str, Method],
    name: str | None = None,
    layer: str | None = None,
    recipe: Recipe | None = None,
    pool: Pool = "mean",
    device: torch.device | None = None,
    track: Track = untracked,
) -> Sanitizing:
    """Fine-tune a loaded checkpoint, write it to `output` in the format it came in, and its record beside it.

    Args:
        loaded: The checkpoint; its module is trained in place.
        data: Rows that no attacker will be judged on.
        output: A new file with the suffix of the old one.
        task: Column that the model predicts.
        methods: Method for each private column.
        name: What the method is called in the record; its class if not given.
        layer: The bottleneck; the suggested one if not given.
        recipe: Epochs, batch, optimizer, seed.
        pool: How maps and tokens become one vector a row.
        device: Where to train; the CPU if not given.
        track: Shows progress.

    Raises:
        IreneError: Any of its kinds; nothing is written then.
    """
    recipe = recipe or Recipe()
    name = name or ", ".join(sorted({type(method).__name__.lower() for method in methods.values()}))
    weights = require_weights(loaded)
    require_output(output, weights.path)
    if not methods:
        raise DataError("No private attribute was named. Name at least one, for instance --private gender.")
    if task in methods:
        raise DataError(f"{task!r} is the task and cannot be private too: a model that does its task tells it.")
    data.column(task, "task")
    for attribute in methods:
        data.column(attribute, "private")
    data = data.complete([task, *methods])
    device = device or torch.device("cpu")
    model = loaded.module.to(device)
    x = first_input(model, data)
    layer = layer or suggest(model, x)
    try:
        outcome = fine_tune(
            model,
            data,
            task=task,
            methods=methods,
            layer=layer,
            recipe=recipe,
            pool=pool,
            device=device,
            track=track,
        )
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        raise TrainingError(f"Fine-tuning diverged: {name} found no finite solution. {REMEDY}") from None
    _require_finite(weights, model)
    settings: dict[str, Any] = asdict(recipe) | {"task": task, "data": data.name, "data.rows": len(data)}
    settings |= {f"data.{key}": value for key, value in data.options.items()}
    for attribute, method in methods.items():
        settings |= {f"{attribute}.{key}": value for key, value in asdict(method).items()}  # type: ignore[call-overload]
    done = Sanitizing(
        method=name,
        settings=settings,
        layer=layer,
        parent_sha256=weights.sha256,
        trace=outcome.trace,
        head_accuracy=outcome.head_accuracy,
        head_rows=outcome.head_rows,
        data_fingerprint=data.labels_sha256([task, *methods]),
        versions=versions(),
    )
    save_like(weights, model, output)
    write_model(Sidecar(sha256=sha256(output), sanitizing=done), sidecar(output))
    return done


def _require_finite(weights: Weights, model: torch.nn.Module) -> None:
    """Fail on what the last step broke: no loss was taken after it."""
    state = model.state_dict()
    for key, old in weights.tensors.items():
        if old.is_floating_point() and not torch.isfinite(state[key].to(old.dtype)).all():
            raise TrainingError(f"Fine-tuning diverged: {key} became NaN or infinite. {REMEDY}")


def require_output(output: Path, parent: Path) -> None:
    """Fail before the work if the result could not be written, or would overwrite what it came from.

    Raises:
        CheckpointError: Same file, or another format.
        IreneError: The folder cannot be written to.
    """
    require_writable(output)
    require_writable(sidecar(output))
    if output.resolve() == parent.resolve():
        raise CheckpointError(f"{output} is the checkpoint itself and would be lost. Name another file with -o.")
    if (output.suffix == ".safetensors") != (parent.suffix == ".safetensors"):
        raise CheckpointError(
            f"{output.name} would not be in the format of {parent.name}. Give it the suffix {parent.suffix!r}."
        )
