"""The command `irene sweep`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit.cli.command_line import command_line
from audit.cli.options import (
    CHECKPOINT,
    MODEL,
    ORDER,
    PRIVATE,
    RARE,
    ROWS,
    SOURCE,
    TASK,
    ModelOptions,
    Names,
    Real,
    progress,
    with_options,
)
from audit.cli.outputs import refuse_inputs
from audit.errors import CheckpointError, visible
from sanitizer.cli.options import KEEP, LAYER, RECIPE, limited_rows, output_option, recipe_fields

if TYPE_CHECKING:
    from audit.evidence.findings import Estimate
    from audit.evidence.sweep_result import SweepPoint
    from sanitizer.options import SweepOptions


def weights_of(context: click.Context, option: click.Parameter, text: str) -> list[float]:
    """Read numbers with commas between them; twice the same one counts once."""
    words = Names().convert(text, option, context)
    return list(dict.fromkeys(Real(min=0).convert(word, option, context) for word in words))


@click.command()
@CHECKPOINT
@with_options(MODEL, SOURCE, TASK, ORDER, PRIVATE, ROWS, KEEP, LAYER)
@click.option(
    "--methods",
    type=Names(),
    default="plain,irene,codebook",
    show_default=True,
    help="Which methods, with commas between them, as `irene sanitize` knows them.",
)
@click.option(
    "--weights",
    default="",
    callback=weights_of,
    help="Weights of the removal, with commas between them, for every method that takes one; each method's own if "
    "left out.",
)
@click.option("--attackers", type=Names(), help="Which attackers, as `irene audit` knows them; all if left out.")
@with_options(RARE)
@click.option("--limit", type=Real(0, 1), help="Tolerance: largest excess leakage that passes; 0.05 if left out.")
@click.option(
    "--backend",
    default="threads",
    show_default=True,
    metavar="NAME",
    help="Where points are made: threads makes one after the other; processes, dask, ray, dask://HOST:PORT and "
    "ray://HOST:PORT have a worker for each, on one core.",
)
@with_options(RECIPE)
@with_options(output_option("The evidence; the chart goes beside it, as .svg.", "out/sweep.json"))
def sweep(checkpoint: Path, output: Path, **given: Any) -> None:
    """Draw the task accuracy of CHECKPOINT against its leakage to fresh attackers, over methods and weights.

    Each point is a copy of the checkpoint, fine-tuned by one method at one weight and audited on rows that it was not
    trained on; the untouched checkpoint comes first. All points have the same rows, splits and seed. One that
    diverges is recorded with its reason. No weights are written.

    The evidence is written whole after each point, and the chart at the end. The same command goes on from there
    after it was stopped, and with more methods or weights it adds those that are missing. `irene report` makes a page
    of the evidence.

    \b
    Example:
      irene sweep out/demo/model.safetensors --arch small-convnet --data digits \\
          --task digit --private colour --methods plain,irene,codebook --weights 0.5,2,8 -o out/sweep.json
    """
    from audit.evidence.audit_result import sidecar
    from sanitizer.sweep import run

    if output.resolve() in (checkpoint.resolve(), sidecar(checkpoint).resolve()):
        raise CheckpointError(
            f"{output} is the checkpoint itself, or its record, and would be lost. Name another file with -o."
        )
    run.require_output(output)
    chart = output.with_suffix(".svg")
    refuse_inputs(output, chart)
    points = run.sweep(
        lambda: ModelOptions.of(given).load(checkpoint),
        limited_rows(given, "train", checkpoint),
        limited_rows(given, "audit", checkpoint),
        output,
        methods=dict.fromkeys(given["methods"], given["weights"]),
        task=given["task"],
        private=given["private"],
        options=_options(given),
    )
    shown = 0
    try:
        for shown, (point, is_new) in enumerate(points, 1):  # noqa: B007  how many there are to draw
            click.echo(visible(f"{sentence(point, given['task'])}{'' if is_new else ' (made before)'}"))
    except KeyboardInterrupt as stopped:
        if shown:
            stopped.args = (f"Stopped; the points so far are in {output}. The same command goes on.",)
        raise
    finally:
        if shown:
            click.echo(visible(f"Wrote {output}"))
            root = click.get_current_context().find_root().command
            root.main(["report", str(output), "-o", str(chart)], prog_name="irene", standalone_mode=False)


def _options(given: Mapping[str, Any]) -> "SweepOptions":
    from audit.settings import Settings
    from sanitizer.options import SweepOptions

    names = ("limit", "attackers", "min_class", "merge_rare")
    chosen = {name: given[name] for name in names if given[name] is not None}
    return SweepOptions(
        **recipe_fields(given),
        keep=given["keep"],
        settings=Settings(**chosen),
        limit_set_by="default" if given["limit"] is None else "user",
        command=command_line(),
        track=progress,
        backend=given["backend"],
    )


def sentence(point: "SweepPoint", task: str) -> str:
    """Return the figures of a point, or why it has none, in one line."""
    from audit.evidence.numbers import at_most
    from audit.evidence.sweep_result import title

    name, found = title(point.method, point.weight), point.figures
    if found is None:
        return f"{name}: failed. {point.failure}"
    parts = [f"accuracy on {task} {shares(found.accuracy)}"]
    for one in found.read:
        most = ""
        if one.certificate:
            bound, sure = at_most(100 * one.certificate.balanced_accuracy, 1), one.certificate.confidence
            most = f", no attacker above {bound}% (at {sure:.0%} confidence)"
        read = shares(one.balanced_accuracy)
        parts.append(f"{one.attribute} {read}, floor {one.floor.value:.1%}{most}: {one.verdict}")
    parts += [f"{one.attribute} retained at AUROC {one.auroc.value:.3f}" for one in found.kept]
    return f"{name}: {'; '.join(parts)}"


def shares(estimate: "Estimate") -> str:
    """Return a share with its interval in percent."""
    return f"{estimate.value:.1%} [{estimate.low:.1%}, {estimate.high:.1%}]"
