"""The command `irene demo`: train a model that leaks, then run the other commands on it as a user would."""

from contextlib import suppress
from pathlib import Path

import click

from audit.cli.options import progress, with_options
from audit.errors import visible
from sanitizer.cli.options import output_option

ARCHITECTURE = ("--arch", "small-convnet")
ROWS = ("--data", "digits", "--task", "digit", "--private", "colour")
MADE_BY = {"made_by": "irene demo"}
"""Stands in the model that the demo trains: a folder with it is one of a demo, also where that was stopped."""


@click.command()
@with_options(output_option("A folder.", "out/demo"))
def demo(output: Path) -> None:
    """Train a digit classifier on coloured digits, audit it, sanitize it, audit it again and write the report.

    The digits are real and come with scikit-learn; nothing is downloaded. Every step after the training
    is an ordinary command, printed before it runs.

    \b
    Example:
      irene demo
    """
    from audit.evidence.audit_result import read_audit
    from sanitizer.run import state_file

    leaky, clean = output / "model.safetensors", output / "clean.safetensors"
    before, after, page = output / "before.json", output / "after.json", output / "report.html"
    _refuse_foreign(leaky, before, after, page)
    click.secho("# An ordinary training: a small ConvNet learns to read digits on coloured backgrounds", bold=True)
    _train(leaky)
    _run("audit", str(leaky), *ARCHITECTURE, *ROWS, "-o", str(before))
    state_file(clean).unlink(missing_ok=True)  # of a demo that was stopped: this one trained its model anew
    _run("sanitize", str(leaky), *ARCHITECTURE, *ROWS, "--epochs", "4", "-o", str(clean))
    _run("audit", str(clean), *ARCHITECTURE, *ROWS, "-o", str(after))
    _run("report", str(before), str(after), "-o", str(page))
    first, last = read_audit(before), read_audit(after)
    click.echo()
    click.secho("# What it comes to", bold=True)
    for when, result in (("Before", first), ("After", last)):
        for one in result.private:
            measurement, read = one.measurement, one.measurement.score
            click.echo(
                visible(
                    f"{when}, a fresh attacker reads the {one.attribute} in {read.value:.1%} "
                    f"[{read.low:.1%}, {read.high:.1%}] of cases; the predicted digit alone gives "
                    f"{measurement.floor_score.value:.1%} and a guess {measurement.guess:.1%}: {one.decided.verdict}."
                )
            )
    if first.task and last.task:
        click.echo(
            visible(f"Task accuracy: {first.task.accuracy.value:.1%} before, {last.task.accuracy.value:.1%} after.")
        )
    click.echo(visible(f"The report: {page.resolve()}"))


def _refuse_foreign(model: Path, *others: Path) -> None:
    """Refuse a folder where something would be replaced, and whose model no demo trained."""
    import safetensors

    from audit.errors import IreneError

    found, made_by = [path for path in (model, *others) if path.exists()], None
    if model.is_file():
        with suppress(OSError, safetensors.SafetensorError), safetensors.safe_open(model, "numpy") as file:
            made_by = file.metadata()
    if found and made_by != MADE_BY:
        raise IreneError(
            f"{found[0]} is there already, is no work of a demo and would be lost. Name another folder with -o."
        )


def _train(path: Path) -> None:
    """Train from scratch on the task alone and save a plain state_dict."""
    import safetensors.torch
    import torch

    from audit.atomic_write import write_whole
    from audit.data.sources.opening import open_data
    from audit.environment import choose_device
    from audit.model.example_networks import small_convnet
    from sanitizer.job import Recipe, TrainingJob
    from sanitizer.training.loop import fine_tune

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = small_convnet()
    recipe = Recipe(epochs=20, batch_size=128, lr=3e-3)
    data = open_data("digits", "train", {})
    job = TrainingJob(data, "digit", "classifier:input", recipe=recipe, device=choose_device("auto"))
    fine_tune(model, job, track=progress)
    content = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    write_whole(path, safetensors.torch.save(content, MADE_BY))
    click.echo(visible(f"Wrote {path}"))


def _run(*arguments: str) -> None:
    click.echo()
    click.secho(visible(f"$ irene {' '.join(arguments)}"), bold=True)
    root = click.get_current_context().find_root().command
    root.main(args=list(arguments), prog_name="irene", standalone_mode=False)
