"""The command `irene report`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit.errors import visible

if TYPE_CHECKING:
    from audit.evidence.audit_result import AuditResult
    from audit.evidence.sweep_result import Sweep
    from reports.compliance.answers import Answers

EVIDENCE = click.Path(path_type=Path, dir_okay=False)
unsealed = click.option(
    "--allow-unsealed",
    is_flag=True,
    help="Also read evidence of a schema that had no digest yet, whose edits nobody can see; every output says so.",
)


@click.command()
@click.argument("evidence", type=EVIDENCE, nargs=-1, required=True)
@click.option("--side-by-side", is_flag=True, help="Set two audits beside each other as two models.")
@click.option(
    "--dpia",
    is_flag=True,
    help="Also write the annex to a data protection impact assessment beside the report, as .dpia.md and .dpia.html.",
)
@click.option(
    "--answers",
    type=click.Path(path_type=Path, dir_okay=False),
    help="People's answers to the annex, a TOML file: written with its questions where it is not there yet, and from "
    "then on merged into the annex at every run and never written over.",
)
@click.option(
    "--framework",
    "frameworks",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="A TOML file that maps evidence to provisions of your own, set after irene's (docs/framework.md); repeatable.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("out/report.html"),
    show_default=True,
    help="The HTML file to write; of a sweep also an .svg, its curve alone.",
)
@unsealed
def report(
    evidence: tuple[Path, ...],
    side_by_side: bool,
    dpia: bool,
    answers: Path | None,
    frameworks: tuple[Path, ...],
    output: Path,
    allow_unsealed: bool,
) -> None:
    """Write EVIDENCE as one offline HTML file.

    \b
    one audit         what it found
    two audits        what changed from BEFORE to AFTER; the verdict is on AFTER
    three or more     the models side by side, none of them ranked
    a sweep           its trade-off curve, and every point

    Audits are evidence of `irene audit`, made with the same data and options; those that measured something else
    are refused, and it says how they differ. A sweep is evidence of `irene sweep`. Nothing is written if anything
    is refused.

    A framework is a TOML file of instruments and entries, in the format of irene's own provisions.toml.

    \b
    Example:
      irene report out/before.json out/after.json -o out/report.html
    """
    from audit.evidence.sweep_result import Sweep
    from reports.inputs.files import annex_files, read_given, refuse_overwriting

    refuse_overwriting([output], evidence)
    refuse_overwriting([output], frameworks, "a framework")
    if answers is not None:
        if not dpia:
            raise click.UsageError("--answers are those of the annex. Add --dpia.")
        refuse_overwriting([output, *annex_files(output)], [answers], "the file of answers")
    given = read_given(evidence, allow_unsealed=allow_unsealed)
    if isinstance(given, Sweep):
        if side_by_side or dpia or frameworks:
            options = "--framework is" if frameworks else "--side-by-side and --dpia are"
            raise click.UsageError(f"{options} for audits; this is the evidence of a sweep.")
        lines = _sweep(given, output)
    else:
        if output.suffix.lower() == ".svg":
            raise click.UsageError(f"{output} names a picture, which only a sweep has. Name an .html file with -o.")
        several = side_by_side or len(given) > 2
        if side_by_side and len(given) == 1:
            raise click.UsageError("--side-by-side is for two audits or more; there is one.")
        if several and (dpia or frameworks):
            option = "--dpia" if dpia else "--framework"
            raise click.UsageError(f"{option} is for one audit, or for two of them, before and after.")
        if dpia:
            annex = annex_files(output)
            refuse_overwriting(annex, evidence)
            refuse_overwriting(annex, frameworks, "a framework")
        lines = (
            _models(given, output)
            if several
            else _audits([one for _, one in given], frameworks, output, Annex(answers) if dpia else None)
        )
    for line in lines:
        click.echo(visible(line))


def _sweep(sweep: "Sweep", output: Path) -> list[str]:
    from reports.charts.tradeoff_file import write_picture
    from reports.render.template import write_page
    from reports.sweep_page.page import render_sweep
    from reports.sweep_page.sections.choice import sentences

    if output.suffix.lower() == ".svg":
        write_picture(output, sweep)
    else:
        write_page(output, render_sweep(sweep))
    return [f"Wrote {output}", *sentences(sweep)]


def _models(given: "list[tuple[Path, AuditResult]]", output: Path) -> list[str]:
    from reports.inputs.files import refuse_twice
    from reports.models_page.page import render_models, verdict_lines
    from reports.render.template import write_page

    refuse_twice([path for path, _ in given])
    audits = {str(path): audit for path, audit in given}
    write_page(output, render_models(audits))
    return [f"Wrote {output}", *verdict_lines(audits)]


@dataclass(frozen=True)
class Annex:
    """The annex that was asked for."""

    answers: Path | None


def _audits(audits: "list[AuditResult]", frameworks: tuple[Path, ...], output: Path, annex: Annex | None) -> list[str]:
    from audit.atomic_write import write_together
    from reports.audit_page.render import render
    from reports.compliance.dpia import annex_of
    from reports.compliance.mapping import load
    from reports.text.sentences import sentences

    first, second = audits[0], audits[1] if len(audits) == 2 else None
    own = tuple(map(load, frameworks))
    files, told = {output: render(first, second, own).encode()}, list[str]()
    if annex is not None:
        answers, new, told = _answers(annex.answers, first, second)
        files |= annex_of(output, first, second, own, answers) | new
    write_together(files)
    return [*(f"Wrote {path}" for path in files), *told, *sentences(first, second)]


def _answers(
    path: Path | None, first: "AuditResult", second: "AuditResult | None"
) -> "tuple[Answers, dict[Path, bytes], list[str]]":
    """Return people's answers, the file of them where it is new, and what is missing in it, in a line."""
    from reports.compliance.answers import read_answers
    from reports.compliance.dpia import missing_answers, questions

    if path is None:
        return {}, {}, []
    if not path.exists():
        return {}, {path: questions(first, second).encode()}, []
    answers = read_answers(path)
    missing = missing_answers(first, second, answers)
    told = (
        f"{len(missing)} questions of the annex have no answer in {path}; the first is {missing[0]}" if missing else ""
    )
    return answers, {}, [told] if told else []
