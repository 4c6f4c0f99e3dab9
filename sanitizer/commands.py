"""The command `irene sanitize`."""

from pathlib import Path
from typing import Any

import click

from audit.options import (
    CHECKPOINT,
    MODEL,
    PRIVATE,
    ROWS,
    SOURCE,
    TASK,
    Real,
    arguments,
    names,
    open_rows,
    progress,
    with_options,
)

RECIPE = (
    click.option("--epochs", type=click.IntRange(min=1), default=30, show_default=True),
    click.option("--batch-size", type=click.IntRange(min=2), default=512, show_default=True),
    click.option("--optimizer", type=click.Choice(["adam", "sgd"]), default="adam", show_default=True),
    click.option("--lr", type=Real(min=0, min_open=True), default=1e-3, show_default=True),
    click.option("--weight-decay", type=Real(min=0), default=1e-4, show_default=True),
    click.option("--alpha", type=Real(min=0), default=1.0, show_default=True, help="Weight of the task."),
)
METHOD = (
    click.option(
        "--method",
        default="kernel",
        show_default=True,
        help="kernel, irene, plain, or package.module:attribute.",
    ),
    click.option(
        "--weight",
        type=Real(min=0),
        help="Weight of the removal (the paper's gamma); the method's own if left out.",
    ),
    click.option("--head", type=click.Choice(["linear", "mlp"]), help="The head in the loop (irene)."),
    click.option("--inner-steps", type=click.IntRange(min=1), help="Head steps for each step of the encoder (irene)."),
    click.option("--head-lr", type=Real(min=0, min_open=True), help="Learning rate of the head (irene)."),
    click.option(
        "--ridge",
        type=Real(min=0, min_open=True),
        help="Regularisation of the solved head (kernel).",
    ),
)
SETTINGS = ("weight", "head", "inner_steps", "head_lr", "ridge")


@click.command()
@CHECKPOINT
@with_options(MODEL, SOURCE, TASK, PRIVATE, ROWS)
@click.option("--layer", help="The bottleneck; the suggested one if left out.")
@with_options(METHOD, RECIPE)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The new checkpoint; its record goes beside it.",
)
def sanitize(
    checkpoint: Path,
    arch: str | None,
    arch_arg: tuple[str, ...],
    weights_key: str | None,
    allow_pickle: bool,
    device: str,
    layer: str | None,
    method: str,
    output: Path,
    **given: Any,
) -> None:
    """Fine-tune the encoder of CHECKPOINT so that less of the private attributes can be read at its bottleneck.

    The result has the same keys, shapes, types and format, and loads wherever the old one did. It is no
    evidence of anything: audit it.

    \b
    Example:
      irene sanitize out/demo/model.safetensors --arch small-convnet --data digits \\
          --task digit --private colour -o out/clean.safetensors
    """
    from dataclasses import fields  # noqa: PLC0415 - keeps `irene --help` fast

    from audit.checkpoint import load  # noqa: PLC0415
    from audit.machine import choose_device  # noqa: PLC0415
    from sanitizer.sanitizing import make_method, require_output  # noqa: PLC0415
    from sanitizer.sanitizing import sanitize as run  # noqa: PLC0415
    from sanitizer.training import Recipe  # noqa: PLC0415

    require_output(output, checkpoint)
    chosen = make_method(method, {name: given[name] for name in SETTINGS if given[name] is not None})
    recipe = Recipe(**{field.name: given[field.name] for field in fields(Recipe)})
    loaded = load(checkpoint, arch, arguments(arch_arg), weights_key=weights_key, allow_pickle=allow_pickle)
    data = open_rows(given, "train", arch)
    done = run(
        loaded,
        data.limited(given["limit_rows"] or len(data), seed=given["seed"]),
        output,
        task=given["task"],
        methods=dict.fromkeys(names(given["private"]), chosen),
        name=method,
        layer=layer,
        recipe=recipe,
        pool=given["pool"],
        device=choose_device(device),
        track=progress,
    )
    first, last = done.trace[0], done.trace[-1]
    click.echo(f"Task loss, first and last epoch: {first.task_loss:.3f} and {last.task_loss:.3f} nats")
    for attribute, penalty in last.penalty.items():
        click.echo(f"What {method} minimises for {attribute}: {first.penalty[attribute]:.3f} and {penalty:.3f}")
    for attribute, accuracy in done.head_accuracy.items():
        if accuracy is not None:
            click.echo(
                f"The head in the loop reads {accuracy:.1%} of {attribute}; that is no evidence, audit the result."
            )
    click.echo(f"Wrote {output}")
