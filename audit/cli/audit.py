"""The commands `irene layers` and `irene audit`."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from audit.cli.options import (
    CHECKPOINT,
    MODEL,
    PRIVATE,
    ROWS,
    SOURCE,
    Real,
    arguments,
    command_line,
    names,
    open_rows,
    progress,
    with_options,
)
from audit.data.sources.catalogue import EMBEDDINGS

FOR_MODELS = (
    "arch", "arch_arg", "weights_key", "allow_pickle", "device", "data", "data_root", "rho", "transform", "image_size",
    "features", "data_arg", "pool", "batch_size", "workers",
)  # fmt: skip
"""Options that mean nothing where there are features already."""


@click.command()
@CHECKPOINT
@with_options(MODEL, SOURCE)
def layers(
    checkpoint: Path,
    arch: str | None,
    arch_arg: tuple[str, ...],
    weights_key: str | None,
    allow_pickle: bool,
    device: str,
    **source: Any,
) -> None:
    """List every layer of CHECKPOINT: name, type, output, width, how often it fires, and the suggested bottleneck.

    A layer that fires once can be audited: by its name for what it returns, with `:input` behind it for what
    it is given. `logits` is what the model returns.

    \b
    Example:
      irene layers out/demo/model.safetensors --arch small-convnet --data digits
    """
    from rich.console import Console  # noqa: PLC0415 - keeps `irene --help` fast
    from rich.table import Table  # noqa: PLC0415

    from audit.environment import choose_device  # noqa: PLC0415
    from audit.errors import BottleneckError  # noqa: PLC0415
    from audit.model import layers  # noqa: PLC0415
    from audit.model.checkpoint import load  # noqa: PLC0415
    from audit.model.forward import first_input  # noqa: PLC0415

    chosen = choose_device(device)
    loaded = load(checkpoint, arch, arguments(arch_arg), weights_key=weights_key, allow_pickle=allow_pickle)
    model = loaded.module.to(chosen)
    x = first_input(model, open_rows(source, "audit", arch), rows=loaded.fixed_batch or 1)
    table = Table("layer", "type", "output", "width", "fired", box=None, header_style="bold")
    for layer in layers.layers(model, x):
        shape = " × ".join(map(str, layer.shape)) if layer.shape is not None else "–"
        width = "–" if layer.width is None else str(layer.width)
        table.add_row(layer.name, layer.kind, shape, width, str(layer.fired))
    console = Console()
    console.print(table)
    try:
        told = f"Suggested bottleneck: {layers.suggest(model, x)}"
    except BottleneckError as error:
        told = str(error)
    console.print(told, highlight=False, markup=False)


@click.command()
@click.argument("subject", type=click.Path(path_type=Path))
@with_options(MODEL, SOURCE)
@click.option("--task", help="Column that the model predicts; without one the floor is chance.")
@with_options(PRIVATE, ROWS)
@click.option("--keep", help="Columns that should stay readable, with commas between them.")
@click.option("--layer", help="Where to look, with commas between several; the suggested bottleneck if left out.")
@click.option(
    "--attackers",
    help="Which attackers, with commas between them: logistic, mlp, rbf-svm, knn, boosted-trees (all if left out), or "
    "any scikit-learn estimator by package.module:Class.",
)
@click.option(
    "--limit",
    type=Real(0, 1),
    help="Largest excess over the floor that passes, of balanced accuracy or of R²; 0.05 if left out.",
)
@click.option("--where", is_flag=True, help="Also tell which units, and where in the input, the attacker reads.")
@click.option("--no-ceiling", is_flag=True, help="Do not attack the raw input.")
@click.option("--table", type=click.Path(path_type=Path), help="Labels of embeddings in a .npy file.")
@click.option("--predicted", help="Column with what the model answered, for embeddings.")
@click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True)
@click.option("--workers", type=click.IntRange(min=0), default=0, show_default=True, help="Processes that read inputs.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("out/audit.json"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the evidence on stdout instead of the sentences.")
def audit(subject: Path, output: Path, as_json: bool, **given: Any) -> None:
    """Measure how much of each private attribute fresh attackers read at a bottleneck of SUBJECT.

    SUBJECT is a checkpoint, a TorchScript or torch.export program, or embeddings that some model made (.npz,
    .npy with --table, .parquet). Attackers are fitted, chosen and tested on three splits of rows that the model
    was not trained on. The evidence goes to one JSON file, which `irene report` turns into a page.

    \b
    Example:
      irene audit out/demo/model.safetensors --arch small-convnet --data digits \\
          --task digit --private colour -o out/before.json
    """
    from audit import atomic_write  # noqa: PLC0415 - keeps `irene --help` fast
    from audit.attackers import families  # noqa: PLC0415 - keeps `irene --help` fast
    from audit.errors import CheckpointError  # noqa: PLC0415
    from audit.evidence import audit_result  # noqa: PLC0415 - keeps `irene --help` fast
    from audit.evidence.audit_result import sidecar  # noqa: PLC0415
    from audit.settings import LIMIT, Settings  # noqa: PLC0415

    atomic_write.require_writable(output)
    if output.resolve() in (subject.resolve(), sidecar(subject).resolve()):
        raise CheckpointError(
            f"{output} is what is audited, or its record, and would be lost. Name another file with -o."
        )
    settings = Settings(
        attackers=tuple(names(given["attackers"])) if given["attackers"] else families.DEFAULT,
        seed=given["seed"],
        limit=LIMIT if given["limit"] is None else given["limit"],
        ceiling=not given["no_ceiling"],
    )
    common = {
        "task": given["task"],
        "private": names(given["private"]),
        "keep": names(given["keep"] or ""),
        "settings": settings,
        "where": given["where"],
        "limit_set_by": "default" if given["limit"] is None else "user",
        "command": command_line(),
        "track": progress,
    }
    run = _embeddings if subject.suffix.lower() in EMBEDDINGS else _model
    result = run(subject, given, common)
    audit_result.write_audit(result, output)
    if as_json:
        click.echo(output.read_text(encoding="utf-8"), nl=False)
        return
    for line in sentences(result):
        click.echo(line)
    for warning in result.warnings:
        click.echo(f"Note: {warning}.", err=True)
    click.echo(f"Wrote {output}")


def _model(subject: Path, given: dict[str, Any], common: dict[str, Any]) -> Any:
    from audit import run  # noqa: PLC0415
    from audit.environment import choose_device  # noqa: PLC0415
    from audit.model.checkpoint import load  # noqa: PLC0415
    from audit.model.describe import describe_checkpoint  # noqa: PLC0415

    for option in ("table", "predicted"):
        if given[option] is not None:
            raise click.UsageError(f"--{option} is for embeddings, and {subject} is a model. Leave it out.")
    loaded = load(
        subject,
        given["arch"],
        arguments(given["arch_arg"]),
        weights_key=given["weights_key"],
        allow_pickle=given["allow_pickle"],
    )
    device = choose_device(given["device"])
    described, notes = describe_checkpoint(loaded)
    data = open_rows(given, "audit", given["arch"])
    return run.audit(
        loaded.module.to(device),
        data.limited(given["limit_rows"] or len(data), seed=given["seed"]),
        layer=names(given["layer"] or ""),
        pool=given["pool"],
        batch_size=given["batch_size"],
        fixed_batch=loaded.fixed_batch,
        workers=given["workers"],
        checkpoint=described,
        notes=notes,
        **common,
    )


def _embeddings(subject: Path, given: dict[str, Any], common: dict[str, Any]) -> Any:
    from audit import run  # noqa: PLC0415
    from audit.atomic_write import sha256  # noqa: PLC0415
    from audit.data.on_disk import in_memory  # noqa: PLC0415
    from audit.data.sources.embeddings import read_embeddings  # noqa: PLC0415
    from audit.errors import UnknownNameError  # noqa: PLC0415
    from audit.evidence import audit_result  # noqa: PLC0415

    for option in FOR_MODELS:
        if click.get_current_context().get_parameter_source(option) is not ParameterSource.DEFAULT:
            raise click.UsageError(
                f"{subject} holds embeddings, which need no --{option.replace('_', '-')}. Leave it out."
            )
    found = read_embeddings(
        subject, table=given["table"], continuous=given["continuous"] or (), classes=given["classes"] or ()
    )
    data = found.data.grouped_by(given["group"]) if given["group"] else found.data
    wanted = names(given["layer"] or "") or list(found.layers)
    for name in wanted:
        if name not in found.layers:
            raise UnknownNameError(f"layer of {subject.name}", name, found.layers)
    layers = {name: found.layers[name] for name in wanted}
    if given["limit_rows"]:
        rows = data.some_rows(given["limit_rows"], seed=given["seed"])
        data, layers = data.take(rows), {name: in_memory(z, rows) for name, z in layers.items()}
    described = audit_result.Checkpoint(
        file=subject.name,
        sha256=sha256(subject),
        architecture="unknown",
        parameters=0,
        format="embeddings",
    )
    return run.audit_embeddings(
        layers,
        data,
        predicted=given["predicted"],
        checkpoint=described,
        **common,
    )


def sentences(result: Any) -> list[str]:
    """Return one line for each attribute at each layer."""
    return [
        *(f"{one.verdict}: {summary(one, bound(one))} {one.reason}" for one in result.leakage),
        *(f"{one.verdict}: {continuous_summary(one)} {one.reason}" for one in result.continuous),
        *(f"KEPT: {summary(one)}" for one in result.kept),
        *(f"KEPT: {continuous_summary(one)}" for one in result.kept_continuous),
    ]


def bound(one: Any) -> str:
    """Return what no attacker can exceed as a clause, or nothing where that is not known."""
    from audit.evidence.notebook import at_most_percent  # noqa: PLC0415

    most = one.certificate
    if most is None:
        return ""
    return f"; no attacker reads more than {at_most_percent(most.balanced_accuracy)}% ({most.confidence:.0%})"


def summary(one: Any, more: str = "") -> str:
    """Return what was read of classes as a sentence."""
    read, floor = one.balanced_accuracy, one.floor
    ceiling = f", ceiling {one.ceiling.figure.value:.1%}" if one.ceiling else ""
    return (
        f"{one.attribute} at {one.layer}: the strongest attacker ({one.strongest}) "
        f"reads {read.value:.1%} [{read.low:.1%}, {read.high:.1%}] balanced accuracy, AUROC {one.auroc.value:.3f}, "
        f"{max(0.0, one.bits.value):.2f} of {one.entropy:.2f} bits; "
        f"floor {floor.value:.1%}, chance {one.chance:.1%}{ceiling}{more}."
    )


def continuous_summary(one: Any) -> str:
    """Return what was read of numbers as a sentence."""
    ceiling = f", ceiling {one.ceiling.figure.value:.2f}" if one.ceiling else ""
    return (
        f"{one.attribute} at {one.layer}: the strongest attacker ({one.strongest}) "
        f"explains R² {one.r2.value:.2f} [{one.r2.low:.2f}, {one.r2.high:.2f}] of it, to within {one.mae.value:.3g} on "
        f"average where the median is off by {one.median_mae:.3g}; floor {one.floor.value:.2f}{ceiling}."
    )
