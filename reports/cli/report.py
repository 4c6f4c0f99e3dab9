"""The command `irene report`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from audit.evidence.audit_result import AuditResult
    from audit.evidence.sweep_result import Sweep

EVIDENCE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("evidence", type=EVIDENCE, nargs=-1, required=True)
@click.option("--side-by-side", is_flag=True, help="Set two audits beside each other as two models.")
@click.option(
    "--dpia",
    is_flag=True,
    help="Also write the annex to a data protection impact assessment beside the report, as .dpia.md and .dpia.html.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("out/report.html"),
    show_default=True,
    help="The HTML file to write; of a sweep also an .svg, its curve alone.",
)
def report(evidence: tuple[Path, ...], side_by_side: bool, dpia: bool, output: Path) -> None:
    """Write EVIDENCE as one offline HTML file.

    \b
    one audit         what it found
    two audits        what changed from BEFORE to AFTER; the verdict is on AFTER
    three or more     the models side by side, none of them ranked
    a sweep           its trade-off curve, and every point

    Audits are evidence of `irene audit`, made with the same data and options; those that measured something else
    are refused, and it says how they differ. A sweep is evidence of `irene sweep`. Nothing is written if anything
    is refused.

    \b
    Example:
      irene report out/before.json out/after.json -o out/report.html
    """
    from audit.evidence.sweep_result import Sweep  # noqa: PLC0415  keeps `irene --help` fast
    from reports.inputs.files import read_given, refuse_overwriting  # noqa: PLC0415

    refuse_overwriting([output], evidence)
    given = read_given(evidence)
    if isinstance(given, Sweep):
        if side_by_side or dpia:
            raise click.UsageError("--side-by-side and --dpia are for audits; this is the evidence of a sweep.")
        lines = _sweep(given, output)
    else:
        if output.suffix.lower() == ".svg":
            raise click.UsageError(f"{output} names a picture, which only a sweep has. Name an .html file with -o.")
        several = side_by_side or len(given) > 2
        if side_by_side and len(given) == 1:
            raise click.UsageError("--side-by-side is for two audits or more; there is one.")
        if dpia and several:
            raise click.UsageError("--dpia is for one audit, or for two of them, before and after.")
        lines = _models(given, output) if several else _audits([audit for _, audit in given], evidence, output, dpia)
    for line in lines:
        click.echo(line)


def _sweep(sweep: "Sweep", output: Path) -> list[str]:
    from reports.charts.tradeoff_file import write_picture  # noqa: PLC0415
    from reports.sweep_page.page import write_sweep  # noqa: PLC0415
    from reports.sweep_page.verdict import sentences  # noqa: PLC0415

    (write_picture if output.suffix.lower() == ".svg" else write_sweep)(output, sweep)
    return [f"Wrote {output}", *sentences(sweep)]


def _models(given: "list[tuple[Path, AuditResult]]", output: Path) -> list[str]:
    from reports.inputs.files import refuse_twice  # noqa: PLC0415
    from reports.models_page.page import told, write_models  # noqa: PLC0415

    refuse_twice([path for path, _ in given])
    audits = {str(path): audit for path, audit in given}
    write_models(output, audits)
    return [f"Wrote {output}", *told(audits)]


def _audits(audits: "list[AuditResult]", evidence: tuple[Path, ...], output: Path, dpia: bool) -> list[str]:
    from audit.atomic_write import require_writable  # noqa: PLC0415
    from reports.audit_page.render import render  # noqa: PLC0415
    from reports.compliance.dpia import beside, write_dpia  # noqa: PLC0415
    from reports.inputs.files import refuse_overwriting  # noqa: PLC0415
    from reports.render.template import write_page  # noqa: PLC0415
    from reports.text.sentences import sentences  # noqa: PLC0415

    first, second = audits[0], audits[1] if len(audits) == 2 else None
    if dpia:
        refuse_overwriting([beside(output, suffix) for suffix in (".md", ".html")], evidence)
    content = render(first, second)
    require_writable(output)
    annex = write_dpia(output, first, second) if dpia else ()
    write_page(output, content)
    return [*(f"Wrote {path}" for path in (output, *annex)), *sentences(first, second)]
