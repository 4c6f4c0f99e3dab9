"""The command `irene sanitize`."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit.cli.options import (
    CHECKPOINT,
    MODEL,
    PRIVATE,
    ROWS,
    SOURCE,
    TASK,
    ModelOptions,
    Names,
    Real,
    RowOptions,
    SourceOptions,
    arguments,
    progress,
    with_options,
)
from audit.errors import IreneError

if TYPE_CHECKING:
    from audit.evidence.audit_result import Sanitizing

KEEP = (
    click.option(
        "--keep", type=Names(), default="", help="Columns that should stay readable, with commas between them."
    ),
)
LAYER = (click.option("--layer", help="The bottleneck; the suggested one if left out."),)
RECIPE = (
    click.option("--epochs", type=click.IntRange(min=0), default=30, show_default=True),
    click.option(
        "--batch-size", type=click.IntRange(min=2), default=512, show_default=True, help="Of all processes together."
    ),
    click.option("--optimizer", type=click.Choice(["adam", "sgd"]), default="adam", show_default=True),
    click.option("--lr", type=Real(min=0, min_open=True), default=1e-3, show_default=True),
    click.option("--weight-decay", type=Real(min=0), default=1e-4, show_default=True),
    click.option("--alpha", type=Real(min=0), default=1.0, show_default=True, help="Weight of the task."),
    click.option(
        "--patience",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Stop after so many epochs without a better one, by a fresh audit of held-out rows; 0: never.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["32-true", "bf16-mixed", "16-mixed"]),
        default="32-true",
        show_default=True,
        help="Of the model's passes; what tells information runs in 32 bits or more.",
    ),
    click.option("--freeze", type=Names(), default="", help="Modules that stay as they are, with commas between them."),
    click.option(
        "--augment",
        type=click.Choice(["none", "shift", "flip"]),
        default="none",
        show_default=True,
        help="How training images change each time they are read: shifted; or shifted and, every second one, mirrored.",
    ),
    click.option(
        "--reweigh",
        is_flag=True,
        help="Draw training rows as if the task and the private attributes had nothing to do with each other: for "
        "rows in which they go together by accident, and not where the model will be used.",
    ),
    click.option(
        "--workers", type=click.IntRange(min=0), default=0, show_default=True, help="Processes that read inputs."
    ),
)
METHOD = (
    click.option(
        "--method",
        help="codebook, rich, irene, kernel, gradient-reversal, leace, end, rubi, learned-mixin, rebias, lff, plain "
        "or package.module:attribute. If left out: codebook, a release for the task alone; with --keep, rich.",
    ),
    *KEEP,
    click.option(
        "--weight",
        type=Real(min=0),
        help="Weight of the removal (the paper's gamma); the method's own if left out.",
    ),
    click.option(
        "--head", type=click.Choice(["linear", "mlp"]), help="The head in the loop (irene, gradient-reversal)."
    ),
    click.option("--inner-steps", type=click.IntRange(min=1), help="Head steps for each step of the encoder (irene)."),
    click.option("--head-lr", type=Real(min=0, min_open=True), help="Learning rate of the head."),
    click.option(
        "--ridge",
        type=Real(min=0, min_open=True),
        help="Regularisation of the solved head (kernel, rich).",
    ),
    click.option(
        "--conditional/--marginal",
        default=None,
        help="Remove what v tells beyond the task's label, or all of it; the method's own if left out.",
    ),
    click.option("--levels", type=click.IntRange(min=1), help="Cells for each class of the task (codebook)."),
    click.option("--method-arg", multiple=True, metavar="NAME=VALUE", help="Another setting of the method."),
)
SETTINGS = ("weight", "head", "inner_steps", "head_lr", "ridge", "conditional", "levels")


@click.command()
@CHECKPOINT
@with_options(MODEL, SOURCE, TASK, PRIVATE, ROWS, LAYER, METHOD, RECIPE)
@click.option("--resume", is_flag=True, help="Go on from the state that a run with the same options left.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The new checkpoint; its record goes beside it.",
)
def sanitize(
    checkpoint: Path,
    layer: str | None,
    method: str | None,
    method_arg: tuple[str, ...],
    resume: bool,
    output: Path,
    **given: Any,
) -> None:
    """Fine-tune the encoder of CHECKPOINT so that less of the private attributes can be read at its bottleneck.

    There are two releases. For a model that is released for its task alone, the bottleneck becomes a finite code
    (codebook), and an audit can bound what anyone reads of it. For one whose embeddings serve other tasks, --keep
    names what must stay readable (rich). The choice is told.

    The result keeps the model's keys, shapes, types and format. A code stands in the same file under `irene.`, and a
    program of torch.export that needs no irene goes beside it. A run that was stopped goes on with --resume. The
    result is no evidence of anything: audit it.

    \b
    Example:
      irene sanitize out/demo/model.safetensors --arch small-convnet --data digits \\
          --task digit --private colour -o out/clean.safetensors
    """
    from dataclasses import fields  # noqa: PLC0415 - keeps `irene --help` fast

    from audit.environment import choose_device  # noqa: PLC0415
    from audit.progress import untracked  # noqa: PLC0415
    from sanitizer.methods.table import make_method, release_for  # noqa: PLC0415
    from sanitizer.run import program, require_output, state_file  # noqa: PLC0415
    from sanitizer.run import sanitize as run  # noqa: PLC0415
    from sanitizer.training.reweighting import together  # noqa: PLC0415
    from sanitizer.training.step import Recipe  # noqa: PLC0415

    first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun starts, one speaks
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    require_output(output, checkpoint)
    keep = given["keep"]
    if method is None:
        method = release_for(keep)
        why = "--keep names what must stay readable" if keep else "no --keep: a release for the task alone"
        if first:
            click.echo(f"Method: {method} ({why})")
    settings = {name: given[name] for name in SETTINGS if given[name] is not None} | arguments(method_arg)
    chosen = make_method(method, settings)
    recipe = Recipe(**{field.name: given[field.name] for field in fields(Recipe)})
    model = ModelOptions.of(given)
    loaded = model.load(checkpoint)
    data = SourceOptions.of(given).open("train", model.arch)
    try:
        done = run(
            loaded,
            RowOptions.of(given).limit(data),
            output,
            task=given["task"],
            private=given["private"],
            keep=keep,
            method=chosen,
            name=method,
            layer=layer,
            recipe=recipe,
            pool=given["pool"],
            device=choose_device(model.device),
            resume=resume,
            track=progress if first else untracked,
        )
    except KeyboardInterrupt:
        if state_file(output).is_file():
            raise IreneError(
                f"Stopped; the last whole epoch is in {state_file(output)}. Go on with --resume."
            ) from None
        raise
    if first:
        told(done, program(output))
        found = {} if recipe.reweigh else together(data, given["task"], given["private"])
        for name, share in found.items():
            click.echo(
                f"{name} and {given['task']} have {100 * share:.0f} % of what they say in common in these rows. If "
                "that is an accident of how the rows were collected, --reweigh draws them as if they had not."
            )
        click.echo(f"Wrote {output}")


def told(done: "Sanitizing", beside: Path) -> None:
    """Say what a run saw of itself."""
    if done.trace:
        first, last = done.trace[0], done.trace[-1]
        click.echo(f"Task loss, first and last epoch: {first.task_loss:.3f} and {last.task_loss:.3f} nats")
        for attribute, penalty in last.penalty.items():
            click.echo(
                f"What {done.method} minimises for {attribute}: {first.penalty[attribute]:.3f} and {penalty:.3f}"
            )
    if done.chosen is not None:
        best = done.trace[done.chosen]
        read = ", ".join(f"{100 * value:.1f} % of {name}" for name, value in best.fresh.items())
        click.echo(
            f"Epoch {done.chosen + 1} of {len(done.trace)} was kept: on {done.head_rows} held-out rows quick fresh "
            f"attackers read {read}; balanced accuracy of the task {100 * (best.task_accuracy or 0):.1f} %"
        )
        if best.kept:
            area = sum(best.kept.values()) / len(best.kept)
            click.echo(f"A linear probe reads what is kept there with a mean AUROC of {area:.2f}")
    for attribute, accuracy in done.head_accuracy.items():
        if accuracy is not None:
            click.echo(
                f"The head in the loop reads {accuracy:.1%} of {attribute}; that is no evidence, audit the result."
            )
    if done.release:
        click.echo(f"Wrote {beside}, which runs without irene")
