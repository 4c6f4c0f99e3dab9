"""The commands `irene layers` and `irene audit`."""

from pathlib import Path
from typing import Any

import click

from audit.options import (
    CHECKPOINT,
    COLUMNS,
    MODEL,
    ROWS,
    SOURCE,
    Real,
    arguments,
    command_line,
    data_options,
    names,
    progress,
    with_options,
)


@click.command()
@CHECKPOINT
@with_options(MODEL, SOURCE)
def layers(checkpoint: Path, arch: str, arch_arg: tuple[str, ...], device: str, **source: Any) -> None:
    """List every layer of CHECKPOINT: name, type, output shape, how often it fires, and the suggested bottleneck.

    \b
    Example:
      irene layers out/demo/model.safetensors --arch small-convnet --data digits
    """
    from rich.console import Console  # noqa: PLC0415 - keeps `irene --help` fast
    from rich.table import Table  # noqa: PLC0415

    from audit import bottleneck  # noqa: PLC0415
    from audit.auditing import choose_device, first_input  # noqa: PLC0415
    from audit.checkpoint import load  # noqa: PLC0415
    from audit.data import open_data  # noqa: PLC0415

    chosen = choose_device(device)
    model = load(checkpoint, arch, arguments(arch_arg)).module.to(chosen)
    data = open_data(source["data"], "audit", data_options(source))
    x = first_input(model, data)
    table = Table("layer", "type", "output", "fired", box=None, header_style="bold")
    for layer in bottleneck.layers(model, x):
        shape = " × ".join(map(str, layer.shape)) if layer.shape is not None else "–"
        table.add_row(layer.name, layer.kind, shape, str(layer.fired))
    console = Console()
    console.print(table)
    console.print(f"Suggested bottleneck: {bottleneck.suggest(model, x)}", highlight=False)


@click.command()
@CHECKPOINT
@with_options(MODEL, SOURCE, COLUMNS, ROWS)
@click.option("--layer", help="Where to look, with commas between several; the suggested bottleneck if left out.")
@click.option("--attackers", help="Which attackers, with commas between them; logistic,mlp,rbf-svm if left out.")
@click.option(
    "--limit",
    type=Real(0, 1),
    help="Largest excess of balanced accuracy over the floor that passes; 0.05 if left out.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("out/audit.json"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the evidence on stdout instead of the sentences.")
def audit(
    checkpoint: Path,
    arch: str,
    arch_arg: tuple[str, ...],
    device: str,
    layer: str | None,
    attackers: str | None,
    limit: float | None,
    output: Path,
    as_json: bool,
    **source: Any,
) -> None:
    """Measure how much of each private attribute fresh attackers read at a bottleneck of CHECKPOINT.

    Attackers are fitted, chosen and tested on three splits of rows that the model was not trained on. The
    evidence goes to one JSON file, which `irene report` turns into a page.

    \b
    Example:
      irene audit out/demo/model.safetensors --arch small-convnet --data digits \\
          --task digit --private colour -o out/before.json
    """
    from audit import auditing, evidence, files, probes  # noqa: PLC0415 - keeps `irene --help` fast
    from audit.checkpoint import describe, load, sidecar  # noqa: PLC0415
    from audit.data import open_data  # noqa: PLC0415
    from audit.errors import CheckpointError  # noqa: PLC0415
    from audit.leakage import LIMIT, Settings  # noqa: PLC0415

    files.require_writable(output)
    if output.resolve() in (checkpoint.resolve(), sidecar(checkpoint).resolve()):
        raise CheckpointError(f"{output} is the checkpoint or its record and would be lost. Name another file with -o.")
    settings = Settings(
        attackers=tuple(names(attackers)) if attackers else probes.DEFAULT,
        seed=source["seed"],
        limit=LIMIT if limit is None else limit,
    )
    loaded = load(checkpoint, arch, arguments(arch_arg))
    chosen = auditing.choose_device(device)
    described, notes = describe(loaded)
    data = open_data(source["data"], "audit", data_options(source))
    result = auditing.audit(
        loaded.module.to(chosen),
        data.limited(source["limit_rows"] or len(data), seed=source["seed"]),
        task=source["task"],
        private=names(source["private"]),
        layers=names(layer) if layer else (),
        settings=settings,
        pool=source["pool"],
        checkpoint=described,
        limit_set_by="default" if limit is None else "user",
        command=command_line(),
        notes=notes,
        track=progress,
    )
    evidence.write_model(result, output)
    if as_json:
        click.echo(output.read_text(encoding="utf-8"), nl=False)
        return
    for one in result.leakage:
        click.echo(summary(one))
    for warning in result.warnings:
        click.echo(f"Note: {warning}.", err=True)
    click.echo(f"Wrote {output}")


def summary(leakage: Any) -> str:
    """Return one attribute's result as a line."""
    read, floor = leakage.balanced_accuracy, leakage.floor
    return (
        f"{leakage.verdict}: {leakage.attribute} at {leakage.layer}: the strongest attacker ({leakage.strongest}) "
        f"reads {read.value:.1%} [{read.low:.1%}, {read.high:.1%}] balanced accuracy, "
        f"{max(0.0, leakage.bits.value):.2f} of {leakage.entropy:.2f} bits; "
        f"floor {floor.value:.1%}, chance {leakage.chance:.1%}. {leakage.reason}"
    )
