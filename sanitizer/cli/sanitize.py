"""The command `irene sanitize`."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from audit.cli.options import (
    CHECKPOINT,
    MODEL,
    ORDER,
    PRIVATE,
    ROWS,
    SOURCE,
    ModelOptions,
    Real,
    arguments,
    progress,
    with_options,
)
from audit.cli.outputs import refuse_inputs
from audit.data.files.shards import is_sharded
from audit.data.sources.catalogue import EMBEDDINGS
from audit.errors import DataError, visible
from sanitizer.cli.options import KEEP, LAYER, POSITIVE, RECIPE, limited_rows, option, output_option, recipe_fields
from sanitizer.cli.rows import layer_of, unlabelled_rows, unlabelled_vectors

if TYPE_CHECKING:
    from audit.data.labelled import LabelledData
    from audit.evidence.audit_result import Sanitizing
    from sanitizer.method_table import Choice
    from sanitizer.methods.base import Method
    from sanitizer.options import SanitizeOptions

TASK = (
    click.option("--task", help="Column that the model predicts; without one, the geometry of its vectors is kept."),
    click.option(
        "--keep-identity",
        metavar="COLUMN",
        help="Without a task: column of people, who should stay recognisable beside it.",
    ),
)
METHOD = (
    click.option(
        "--method",
        help="codebook, pairs, map, rich, irene, kernel, gradient-reversal, leace, end, rubi, learned-mixin, rebias, "
        "lff, plain or package.module:attribute. If left out: codebook, a release of the label alone; with --keep, "
        "pairs, or rich of few rows; without a --task, map.",
    ),
    *KEEP,
    option("--weight", Real(min=0), "Weight of the removal (the paper's gamma); the method's own if left out."),
    option("--head", click.Choice(["linear", "mlp"]), "The training adversary (irene, gradient-reversal)."),
    option(
        "--inner-steps", click.IntRange(min=1), "Steps of the training adversary for each step of the encoder (irene)."
    ),
    option("--head-lr", POSITIVE, "Learning rate of the training adversary."),
    option(
        "--ridge", POSITIVE, "Regularisation of the training adversary, a kernel ridge regression (kernel, rich, map)."
    ),
    click.option(
        "--conditional/--marginal",
        default=None,
        help="Remove the attribute's leakage given the task's label, or all of it; the method's own if left out.",
    ),
    option("--levels", click.IntRange(min=1), "Codewords for each class of the task (codebook)."),
    option("--rank", click.IntRange(min=1), "Dimensions that pass (map, rich); map: as many as the rows allow."),
    option(
        "--words", click.IntRange(min=2), "At most so many words over all predicted classes (pairs): 64 if left out."
    ),
    click.option("--method-arg", multiple=True, metavar="NAME=VALUE", help="Another setting of the method."),
)
IDLE = (
    "epochs", "batch_size", "optimizer", "lr", "weight_decay", "alpha", "patience", "precision", "freeze", "augment",
    "workers", "schedule", "choose",
)  # fmt: skip
"""Options of a training that have no effect where none takes place."""
SETTINGS = ("weight", "head", "inner_steps", "head_lr", "ridge", "conditional", "levels", "rank", "words")


@click.command()
@CHECKPOINT
@with_options(MODEL, SOURCE, TASK, ORDER, PRIVATE, ROWS, LAYER, METHOD, RECIPE)
@click.option("--table", type=click.Path(path_type=Path), help="Labels of embeddings that lie in another file.")
@click.option(
    "--unlabelled",
    metavar="DATA",
    help="More rows, without the private attributes, opened as --data is: a teacher fitted on the labelled rows labels "
    "them, and its error rate is measured and recorded. Embeddings: another such file.",
)
@click.option("--resume", is_flag=True, help="Go on from the state that a run with the same options left.")
@with_options(output_option("The new checkpoint; its record goes beside it."))
def sanitize(checkpoint: Path, output: Path, *, resume: bool, **given: Any) -> None:
    """Fine-tune the encoder of CHECKPOINT so that less of the private attributes can be read at its bottleneck.

    For a model that is released for its task alone, the bottleneck becomes a finite code (codebook), and an audit can
    bound its leakage to any attacker. For one whose embeddings serve other tasks, --keep names the attributes to retain
    (pairs, with a bound; map and rich without one). Of an encoder without a task, as many dimensions pass as the rows
    can clean, and vectors stay as alike as that allows (map). The choice is printed; irene plan tells before.

    CHECKPOINT may be a file of embeddings (.npz, .npy with --table, .parquet). A map is then fitted on the rows whose
    column `split` says train, or on half of the people (--group), drawn by --seed. It is written as a program beside
    the new vectors, without any label; irene audit leaves out the rows that fitted it.

    Few labels leave much behind. --unlabelled names rows without the private attribute, or the same file again, whose
    rows without it are meant. A teacher labels them: the encoder fine-tuned to it, or the best attacker, whichever errs
    less on held-out labelled rows. Rows of held-out groups (--group) take no part.

    The result keeps the model's keys, shapes, types and format, with a code or a map in it under `irene.encoder.`, so
    that it is not lost unseen; a program of torch.export that needs no irene goes beside it then. A model no better at
    its task than a constant answer is refused. A run that was stopped goes on with --resume. Audit the result.

    \b
    Example:
      irene sanitize out/demo/model.safetensors --arch small-convnet --data digits \\
          --task digit --private colour -o out/clean.safetensors
    """
    from audit.parallel.ranks import is_first
    from audit.progress import untracked
    from sanitizer.method_table import release_for
    from sanitizer.options import SanitizeOptions
    from sanitizer.run import program, require_output, state_file, written
    from sanitizer.training.reweighting import correlated

    first = is_first()
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    embedded = checkpoint.suffix.lower() in EMBEDDINGS
    output = output.with_suffix(".npz") if embedded and not output.suffix else output
    if not embedded and not checkpoint.is_dir():
        require_output(output, checkpoint)
    refuse_inputs(*written(output), state_file(output))
    task, private, keep = (given[one] for one in ("task", "private", "keep"))
    options = SanitizeOptions(
        **recipe_fields(given),
        keep_identity=given["keep_identity"],
        resume=resume,
        track=progress if first else untracked,
    )
    asked = {"private": private, "keep": keep, "options": options}
    if given["method"] or not task:  # else the rows choose
        asked |= _method(given, options, lambda: release_for(keep, None, 0))
    try:
        done, data = (_map if embedded else _model)(checkpoint, output, given, asked)
    except KeyboardInterrupt as stopped:
        if (state := state_file(output)).is_file():
            stopped.args = (f"Stopped; the last whole epoch is in {state}. Go on with --resume.",)
        raise
    if first:
        describe(done, program(output))
        if task and not given["reweigh"]:
            _hint(correlated(data, task, private), task)
        click.echo(visible(f"Wrote {output}"))


def _hint(found: Mapping[str, float], task: str) -> None:
    """Print of which attributes the rows have much in common with the task."""
    for attribute, share in found.items():
        click.echo(
            visible(
                f"{attribute} and {task} have {100 * share:.0f} % of what they say in common in these rows. If "
                "that is an accident of how the rows were collected, --reweigh draws them as if they had not."
            )
        )


def _model(
    subject: Path, output: Path, given: Mapping[str, Any], asked: dict[str, Any]
) -> "tuple[Sanitizing, LabelledData]":
    """Fine-tune a checkpoint, and write the new one; return its record, and the labelled rows."""
    from sanitizer.run import choice
    from sanitizer.run import sanitize as run

    loaded, data = ModelOptions.of(given).load(subject), limited_rows(given, "train", subject)
    if "method" not in asked:
        options = asked["options"]
        asked |= _method(given, options, lambda: choice(data, given["task"], given["keep"], options))
    asked["options"] = replace(asked["options"], unlabelled=unlabelled_rows(given, subject))
    return run(loaded, data, output, task=given["task"], **asked), data


def _map(
    subject: Path, output: Path, given: Mapping[str, Any], asked: dict[str, Any]
) -> "tuple[Sanitizing, LabelledData]":
    """Fit a map to embeddings, and write it with the new vectors; return its record, and the labelled rows."""
    from audit.atomic_write import sha256
    from sanitizer.vectors import Vectors, sanitize_vectors

    if is_sharded(subject):
        raise DataError(f"{subject} stands for several files, and one is released. Join them into one, and name it.")
    for name in ("task", "arch", "data", "limit_rows"):
        if given[name] is not None:
            told = f"{subject} holds embeddings, which take no --{name.replace('_', '-')}. Leave it out."
            raise click.UsageError(told)
    name, values, data = layer_of(given, subject, given["table"])
    asked["options"] = replace(asked["options"], unlabelled=unlabelled_vectors(given, subject, name))
    return sanitize_vectors(Vectors(name, values, data, sha256(subject)), output, **asked), data


def _method(given: Mapping[str, Any], options: "SanitizeOptions", choose: Callable[[], "Choice"]) -> dict[str, Any]:
    """Return the method that the options of METHOD describe, and options with its name; print one nobody named."""
    from audit.parallel.ranks import is_first
    from sanitizer.method_table import make_method

    name = given["method"]
    if name is None:
        chosen = choose()
        name = chosen.method
        if is_first():
            click.echo(visible(f"Method: {name} ({chosen.why})"))
    settings = {one: given[one] for one in SETTINGS if given[one] is not None}
    method = make_method(name, settings | arguments(given["method_arg"]))
    _refuse_idle(name, method, given["task"])
    return {"method": method, "options": replace(options, name=name)}


def _refuse_idle(name: str, method: "Method", task: str | None) -> None:
    """Refuse options of the training that were typed where a map alone is fitted; a file of options may hold them."""
    from sanitizer.run import trains_nothing

    context = click.get_current_context()
    if not trains_nothing(method, task):
        return
    for one in IDLE:
        if context.get_parameter_source(one) is ParameterSource.COMMANDLINE and context.params[one] != 0:
            typed = f"--{one.replace('_', '-')}"
            where = "" if task else " without a --task"
            raise click.UsageError(
                f"--method {name}{where} trains nothing: it fits what stands at the bottleneck to the features of the "
                f"model as it is, and {typed} would have no effect. Leave {typed} out."
            )


def describe(done: "Sanitizing", beside: Path) -> None:
    """Print the losses, the chosen epoch and the training adversary's own figures."""
    if done.trace:
        first, last = done.trace[0], done.trace[-1]
        what, unit = "Task loss", " nats" if done.settings.get("task_is") is None else " of the variance"
        if done.settings["task"] is None:
            what, unit = "Loss of what is kept", ""
        click.echo(f"{what}, first and last epoch: {first.task_loss:.3f} and {last.task_loss:.3f}{unit}")
        for name, penalty in last.penalty.items():
            click.echo(visible(f"What {done.method} minimises for {name}: {first.penalty[name]:.3f} and {penalty:.3f}"))
    if done.chosen is not None:
        best = done.trace[done.chosen]
        read = visible(", ".join(f"{100 * value:.1f} % of {name}" for name, value in best.fresh.items()))
        told = f"balanced accuracy of the task {100 * (best.task_accuracy or 0):.1f} %"
        if done.settings.get("task_is") is not None:
            told = f"R² of the task {best.task_accuracy or 0:.3f}"
        if best.geometry is not None:
            is_of_people = done.settings.get("keep_identity") is not None
            what = "verification has an AUC" if is_of_people else "similarities have a correlation with the former"
            told = f"{what} of {best.geometry:.3f}"
        read = f"quick fresh attackers read {read}" if read else "nothing was audited"
        click.echo(
            f"Epoch {done.chosen + 1} of {len(done.trace)} was kept: on {done.head_rows} held-out rows {read}; {told}"
        )
        if best.kept:
            area = sum(best.kept.values()) / len(best.kept)
            click.echo(
                visible(f"A linear attacker reads the retained attributes there with a mean AUROC of {area:.2f}")
            )
    for attribute, accuracy in done.head_accuracy.items():
        if accuracy is not None:
            read = f"{accuracy:.1%} of {visible(attribute)}"
            click.echo(f"The training adversary reads {read}; that is no evidence, audit the result.")
    for note in done.notes:
        click.echo(visible(f"Note: {note}."))
    if done.release:
        click.echo(visible(f"Wrote {beside}, which runs without irene"))
