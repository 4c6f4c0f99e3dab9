"""The command `irene audit`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from audit.cli.command_line import command_line
from audit.cli.options import (
    MODEL,
    ORDER,
    PRIVATE,
    RARE,
    ROWS,
    SOURCE,
    ModelOptions,
    Names,
    Options,
    OrderOptions,
    RareOptions,
    Real,
    RowOptions,
    SourceOptions,
    option,
    progress,
    with_options,
)
from audit.cli.outputs import refuse_inputs
from audit.data.files.shards import is_sharded
from audit.data.sources.catalogue import EMBEDDINGS

if TYPE_CHECKING:
    from audit.evidence.audit_result import AuditResult, Checkpoint
    from audit.model.features.saved_batches import SavedBatches
    from audit.model.structure.layout import Padding, Pool
    from audit.model.structure.scores import Scores
    from audit.parallel.ranks import Ranks
    from audit.settings import Provenance, Settings

FOR_LABELS = ("group", "continuous", "classes", "missing")
"""Options in SOURCE that embeddings take too."""
FOR_MODELS = (
    *(field.name for group in (ModelOptions, SourceOptions) for field in fields(group) if field.name not in FOR_LABELS),
    *("pool", "padding", "scores", "model_output", "passes", "batch_size", "workers", "task_classes", "positive"),
    "resume",
)
"""Options that mean nothing where there are representations already."""


@dataclass(frozen=True)
class AuditOptions(Options):
    """Options of `irene audit` beside those of the model, its source and its rows."""

    subject: Path
    task: str | None
    private: tuple[str, ...]
    pool: "Pool"
    padding: "Padding"
    scores: "Scores | None"
    model_output: str | None
    keep: tuple[str, ...] = option(
        type=Names(), default="", help="Columns that should stay readable, with commas between them."
    )
    keep_identity: str | None = option(
        metavar="COLUMN",
        help="Column of people, who should stay recognisable: verification (AUC, EER, TAR) on pairs of test rows.",
    )
    watch: tuple[str, ...] = option(
        type=Names(),
        default="",
        help="Columns that nobody asked to keep, read by a linear attacker; all for every other column.",
    )
    layer: tuple[str, ...] = option(
        type=Names(),
        default="",
        help="Where to look, with commas between several; the suggested bottleneck if left out.",
    )
    attackers: tuple[str, ...] | None = option(
        type=Names(),
        help="Which attackers, with commas between them: logistic, products, mlp, rbf-svm, knn, boosted-trees (all if "
        "left out), or your own by package.module:attribute, a scikit-learn estimator or what makes one.",
    )
    limit: float | None = option(
        type=Real(0, 1),
        help="Largest excess over the floor that passes, of balanced accuracy or of R²; 0.05 if left out.",
    )
    fit_rows: int | None = option(
        type=click.IntRange(min=1),
        help="Most rows that fit an attacker, drawn evenly by class; all if left out.",
    )
    test_rows: int | None = option(
        type=click.IntRange(min=1),
        help="Most rows that test attackers, drawn evenly by class; all if left out.",
    )
    budget: float | None = option(
        type=Real(1), help="Seconds that attackers may take, about; where all rows would take longer, fewer fit them."
    )
    backend: str = option(
        default="threads",
        show_default=True,
        metavar="NAME",
        help="Where attackers are fitted: threads, processes, dask or ray, or a cluster that runs, dask://HOST:PORT or "
        "ray://HOST:PORT. No figure depends on it.",
    )
    where: bool = option(is_flag=True, help="Also tell which units, and where in the input, the attacker reads.")
    no_ceiling: bool = option(is_flag=True, help="Do not attack the raw input.")
    table: Path | None = option(
        type=click.Path(path_type=Path), help="Labels of embeddings that lie in another file: a table, or a .npz."
    )
    held_out: bool = option(
        is_flag=True,
        help="Of embeddings: only rows that `irene sanitize` fits no map on, as it is done for vectors that it wrote.",
    )
    predicted: str | None = option(help="Column with what the model answered, for embeddings.")
    batch_size: int = option(type=click.IntRange(min=1), default=128, show_default=True)
    passes: int = option(
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Average over so many passes, for a model whose answer depends on chance.",
    )
    workers: int = option(type=click.IntRange(min=0), default=0, show_default=True, help="Processes that read inputs.")
    resume: bool = option(is_flag=True, help="Go on from the state that the same audit left under torchrun.")
    output: Path = option(
        "-o", "--output", type=click.Path(path_type=Path), default=Path("out/audit.json"), show_default=True
    )
    as_json: bool = option(
        "--json", "as_json", is_flag=True, help="Print the evidence on stdout instead of the sentences."
    )


@click.command()
@click.argument("subject", type=click.Path(path_type=Path))
@with_options(MODEL, SOURCE)
@click.option("--task", help="Column that the model predicts; without one the floor is chance.")
@with_options(ORDER, PRIVATE, ROWS, RARE, AuditOptions.declared())
def audit(**options: object) -> None:
    """Measure how much of each private attribute fresh attackers read at a bottleneck of SUBJECT.

    SUBJECT is a checkpoint, a TorchScript or torch.export program, or embeddings that some model made (.npz,
    .npy with --table, .parquet; 'emb/*.parquet' or a folder for several files). Attackers are fitted, chosen and
    tested on three splits of rows that the model was not trained on. The evidence goes to one JSON file, which
    `irene report` turns into a page.

    \b
    Example:
      irene audit out/demo/model.safetensors --arch small-convnet --data digits \\
          --task digit --private colour -o out/before.json
    """
    from audit import atomic_write
    from audit.errors import CheckpointError, visible
    from audit.evidence import audit_result
    from audit.evidence.headline import sentence, task_sentence, verification_sentence, watched_sentence
    from audit.parallel.ranks import is_first, torchrun

    asked = AuditOptions.of(options)
    atomic_write.require_writable(asked.output)
    if asked.output.resolve() in (asked.subject.resolve(), audit_result.sidecar(asked.subject).resolve()):
        raise CheckpointError(
            f"{asked.output} is what is audited, or its record, and would be lost. Name another file with -o."
        )
    refuse_inputs(asked.output)
    atomic_write.refuse_unless(audit_result.is_own, asked.output)
    embedded = is_sharded(asked.subject) or asked.subject.suffix.lower() in EMBEDDINGS
    if embedded and not is_first():
        return  # under torchrun, there is nothing for a second process to run
    sole = _sole(asked, embedded=embedded)
    with sole if embedded else torchrun(sole) as ranks:
        result, saved = (_embeddings(asked, options), None) if embedded else _model(asked, options, ranks)
        audit_result.write_audit(result, asked.output)
        if saved:
            saved.remove()
    if asked.as_json:
        click.echo(asked.output.read_text(encoding="utf-8"), nl=False)
        return
    if result.task:
        click.echo(visible(task_sentence(result.task)))
    for finding in result.findings:
        click.echo(visible(sentence(finding)))
    for one in result.watched:
        click.echo(visible(watched_sentence(one)))
    for verification in result.verifications:
        click.echo(visible(verification_sentence(verification)))
    for warning in result.warnings:
        click.echo(visible(f"Note: {warning}."), err=True)
    click.echo(visible(f"Wrote {asked.output}"))


@contextmanager
def _sole(asked: AuditOptions, *, embedded: bool) -> Iterator[None]:
    """Hold the evidence's file alone, and see that the state beside it, if there may be one, is to go on from."""
    from audit.atomic_write import locked
    from audit.model.features.saved_batches import require_state

    with locked(asked.output):
        if not embedded:
            require_state(_state_of(asked.output), resume=asked.resume)
        yield


def _state_of(evidence: Path) -> Path:
    return evidence.with_name(evidence.name + ".state")


def _settings(asked: AuditOptions, rare: RareOptions, seed: int, device: str = "cpu") -> "Settings":
    from audit.evidence.verdict import LIMIT
    from audit.settings import ATTACKERS, Settings

    return Settings(
        attackers=ATTACKERS if asked.attackers is None else asked.attackers,
        seed=seed,
        limit=LIMIT if asked.limit is None else asked.limit,
        fit_rows=asked.fit_rows,
        test_rows=asked.test_rows,
        budget=asked.budget,
        ceiling=not asked.no_ceiling,
        where=asked.where,
        keep_identity=asked.keep_identity,
        watch=asked.watch,
        min_class=rare.min_class,
        merge_rare=rare.merge_rare,
        device=device,
        backend=asked.backend,
    )


def _provenance(asked: AuditOptions, checkpoint: "Checkpoint", notes: Sequence[str] = ()) -> "Provenance":
    from audit.parallel.ranks import is_first
    from audit.progress import untracked
    from audit.settings import Provenance

    set_by: Literal["user", "default"] = "default" if asked.limit is None else "user"
    return Provenance(checkpoint, command_line(), notes, set_by, progress if is_first() else untracked)


def _model(
    asked: AuditOptions, options: Mapping[str, object], ranks: "Ranks | None"
) -> "tuple[AuditResult, SavedBatches]":
    """Audit a checkpoint; return the evidence, and the state that goes when it is written."""
    from audit import run
    from audit.environment import choose_device
    from audit.errors import IreneError
    from audit.model.describe import describe_checkpoint
    from audit.model.forward import Encoder
    from audit.parallel.ranks import is_first

    for name, value in (("table", asked.table), ("predicted", asked.predicted), ("held-out", asked.held_out or None)):
        if value is not None:
            raise click.UsageError(f"--{name} is for embeddings, and {asked.subject} is a model. Leave it out.")
    model, rows = ModelOptions.of(options), RowOptions.of(options)
    loaded = model.load(asked.subject)
    device = choose_device(model.device)
    device = ranks.device(device) if ranks else device
    checkpoint, notes = describe_checkpoint(loaded)
    saved = _saved(asked, model, rows.seed, checkpoint.sha256, device.type)
    data = rows.limit(SourceOptions.of(options).open("audit", model.architecture(asked.subject)))
    encoder = Encoder(
        loaded.module.to(device),
        asked.pool,
        asked.batch_size,
        loaded.fixed_batch,
        asked.workers,
        asked.padding,
        asked.passes,
        asked.scores,
        asked.model_output,
        ranks,
        saved if ranks or asked.resume else None,
    )
    try:
        result = run.audit(
            encoder,
            OrderOptions.of(options).order(data, asked.task),
            task=asked.task,
            private=asked.private,
            keep=asked.keep,
            layer=asked.layer,
            settings=_settings(asked, RareOptions.of(options), rows.seed, str(device)),
            provenance=_provenance(asked, checkpoint, notes),
        )
    except (IreneError, KeyboardInterrupt) as error:
        if is_first() and str(saved.folder) not in str(error) and (left := saved.remedy()):
            error.args = (f"{str(error) or 'Stopped.'} {left}",)
        raise
    return result, saved


def _saved(asked: AuditOptions, model: ModelOptions, seed: int, sha256: str, device: str) -> "SavedBatches":
    """Return the state of an audit's pass, beside its evidence, for all that says what a checkpoint gives."""
    from audit.environment import versions
    from audit.model.features.saved_batches import SavedBatches

    request = json.dumps(
        [
            *(sha256, model.arch, model.arch_arg, model.weights_key, device, seed, versions()),
            *(asked.layer, asked.task, asked.pool, asked.padding, asked.scores, asked.model_output),
            *(asked.batch_size, asked.passes),
        ]
    )
    return SavedBatches(_state_of(asked.output), request, resume=asked.resume)


def _embeddings(asked: AuditOptions, options: Mapping[str, object]) -> "AuditResult":
    from audit import run
    from audit.data.on_disk import in_memory
    from audit.data.parts import PartRule
    from audit.data.sources.embeddings import ALL_ROWS, read_embeddings
    from audit.errors import UnknownNameError
    from audit.verification.verification import identified

    for name in FOR_MODELS:
        if click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(
                f"{asked.subject} holds embeddings, which need no --{name.replace('_', '-')}. Leave it out."
            )
    source, rows = SourceOptions.of(options), RowOptions.of(options)
    found = read_embeddings(
        asked.subject,
        table=asked.table,
        continuous=source.continuous or (),
        classes=source.classes or (),
        missing=source.missing,
    )
    data = identified(found.data.grouped_by(source.group) if source.group else found.data, asked.keep_identity)
    for name in asked.layer:
        if name not in found.layers:
            raise UnknownNameError(f"layer of {asked.subject.name}", name, found.layers)
    layers = {name: found.layers[name] for name in asked.layer or found.layers}
    checkpoint, notes = _described(asked.subject)
    rule = PartRule.recorded(checkpoint.sanitizing.settings) if checkpoint.sanitizing else None
    if rule is None and asked.held_out:
        rule = PartRule.of(data, rows.seed)
    some = None if rule is None else rule.rows(data, "audit")
    if rule is not None and some is not None:
        told = f"rows that may fit a map were left out, by {rule.told}: {len(data) - len(some)} of {len(data)}"
        both = rule.in_both_parts(data)
        data = replace(data.take(some), notes=(*(one for one in data.notes if not one.endswith(ALL_ROWS)), told, *both))
    if rows.limit_rows:
        few = data.some_rows(rows.limit_rows, seed=rows.seed)
        data, some = data.take(few), few if some is None else some[few]
    if some is not None:
        layers = {name: in_memory(z, some) for name, z in layers.items()}
    return run.audit_embeddings(
        layers,
        data,
        task=asked.task,
        private=asked.private,
        predicted=asked.predicted,
        keep=asked.keep,
        settings=_settings(asked, RareOptions.of(options), rows.seed),
        provenance=_provenance(asked, checkpoint, notes),
    )


def _described(subject: Path) -> "tuple[Checkpoint, list[str]]":
    """Describe embeddings by their file, or by all of their files."""
    from audit.atomic_write import sha256
    from audit.data.files.shards import joint_sha256, name_of, shards_of
    from audit.model.describe import describe_embeddings, describe_embeddings_file

    if not is_sharded(subject):
        return describe_embeddings_file(subject)
    return describe_embeddings(name_of(subject), joint_sha256([*map(sha256, shards_of(subject))])), []
