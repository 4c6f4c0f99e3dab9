"""The command `irene report`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit.errors import visible

if TYPE_CHECKING:
    from audit.evidence.audit_result import AuditResult
    from audit.evidence.sweep_result import Sweep
    from reports.compliance.answers import Answers

EVIDENCE = click.Path(path_type=Path, dir_okay=False)


class Limit(click.FloatRange):
    """A share from 0 to 1; anything else, such as points or a decimal comma, is an error that shows the form."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the share; `nan`, which click lets through, is none."""
        try:
            share = super().convert(value, param, ctx)
        except click.BadParameter:
            share = math.nan
        if math.isnan(share):
            self.fail(f"{value!r} is no share from 0 to 1. Write 0.05 for 5 points.", param, ctx)
        return share


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
@click.option("--docx", is_flag=True, help="With --dpia: the annex as a Word file, too; needs irene-audit[docx].")
@click.option(
    "--answers",
    type=click.Path(path_type=Path, dir_okay=False),
    help="People's answers to the annex, a TOML file: written with its questions where it is not there yet, and from "
    "then on merged into the annex at every run and never written over.",
)
@click.option(
    "--csv", type=click.Path(path_type=Path, dir_okay=False), help="Also a row for each finding and attacker."
)
@click.option(
    "--card",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also a section of a Hugging Face model card, with its model-index.",
)
@click.option("--pdf", is_flag=True, help="Also the page as it prints, beside it; needs a browser or WeasyPrint.")
@click.option(
    "--limit",
    type=Limit(0, 1),
    help="Of a sweep: recommend a point whose excess is at most this, 0.05 for 5 points; with --task-loss.",
)
@click.option(
    "--task-loss",
    type=Limit(0, 1),
    help="Of a sweep: and that loses at most this of the task's accuracy, 0.02 for 2 points.",
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
def report(evidence: tuple[Path, ...], allow_unsealed: bool, **given: Any) -> None:
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
    from reports.inputs.files import read_given

    asked = Asked(**given)
    asked.refuse_overwriting(evidence)
    found = read_given(evidence, allow_unsealed=allow_unsealed)
    if isinstance(found, Sweep):
        if idle := asked.given("side_by_side", "dpia", "docx", "frameworks", "csv", "card", "pdf"):
            raise click.UsageError(f"{idle} is for audits; this is the evidence of a sweep.")
        lines = _sweep(found, asked)
    else:
        asked.require_fitting(len(found))
        is_several = asked.side_by_side or len(found) > 2
        lines = _models(found, asked) if is_several else _audits([one for _, one in found], asked)
    for line in lines:
        click.echo(visible(line))


@dataclass(frozen=True)
class Asked:
    """What the options ask for."""

    output: Path
    side_by_side: bool
    dpia: bool
    docx: bool
    answers: Path | None
    frameworks: tuple[Path, ...]
    csv: Path | None
    card: Path | None
    pdf: bool
    limit: float | None
    task_loss: float | None

    @property
    def printed(self) -> Path:
        """The PDF."""
        return self.output.with_suffix(".pdf")

    def given(self, *names: str) -> str:
        """Return the first of some options that was given, as it is typed; nothing if none was."""
        typed = {"frameworks": "framework"}
        return next((f"--{typed.get(one, one).replace('_', '-')}" for one in names if getattr(self, one)), "")

    def refuse_overwriting(self, evidence: Sequence[Path]) -> None:
        """Refuse outputs in the place of what is read, and answers without an annex."""
        from audit.atomic_write import refuse_unless, would_be_lost
        from reports.charts import tradeoff_file
        from reports.exports import table
        from reports.inputs.files import annex_docx, annex_files, refuse_overwriting
        from reports.render import template
        from reports.render.seal import is_untouched

        if (idle := self.given("answers", "docx")) and not self.dpia:
            raise click.UsageError(f"{idle} is for the annex. Add --dpia.")
        outputs = [self.output, *(annex_files(self.output) if self.dpia else ())]
        outputs += [annex_docx(self.output)] if self.docx else []
        outputs += [one for one in (self.csv, self.card, self.printed if self.pdf else None) if one]
        refuse_overwriting(outputs, evidence)
        refuse_overwriting(outputs, self.frameworks, "a framework")
        refuse_overwriting(outputs, [self.answers] if self.answers else [], "the file of answers")
        is_picture = self.output.suffix.lower() == ".svg"
        refuse_unless(tradeoff_file.is_own if is_picture else template.is_own, self.output)
        for path, is_ours in ((self.csv, table.is_own), (self.card, is_untouched)):
            if path is not None:
                refuse_unless(is_ours, path)
        if self.pdf and self.printed.is_file() and not self.output.is_file():  # one of ours stands beside its page
            raise would_be_lost(self.printed)
        if len({one.resolve() for one in outputs}) < len(outputs):
            raise click.UsageError("Two outputs have the same name. Give each one of its own.")

    def require_fitting(self, audits: int) -> None:
        """Refuse options that mean nothing for so many audits."""
        if self.output.suffix.lower() == ".svg":
            raise click.UsageError(
                f"{self.output} names a picture, which only a sweep has. Name an .html file with -o."
            )
        if self.limit is not None or self.task_loss is not None:
            raise click.UsageError(
                "--limit and --task-loss recommend a point of a sweep. For audits, irene check has limits."
            )
        if self.side_by_side and audits == 1:
            raise click.UsageError("--side-by-side is for two audits or more; there is one.")
        if (self.side_by_side or audits > 2) and (idle := self.given("dpia", "frameworks", "card")):
            raise click.UsageError(f"{idle} is for one audit, or for two of them, before and after.")


def _sweep(sweep: "Sweep", asked: Asked) -> list[str]:
    from reports.charts.tradeoff_file import write_picture
    from reports.inputs.sweep_choice import Wanted
    from reports.render.template import write_page
    from reports.sweep_page.page import render_sweep
    from reports.sweep_page.sections.choice import sentences

    wanted = None
    if asked.limit is not None or asked.task_loss is not None:
        if asked.limit is None or asked.task_loss is None:
            raise click.UsageError("A point is recommended by two limits. Give both --limit and --task-loss.")
        wanted = Wanted(asked.limit, asked.task_loss)
    if asked.output.suffix.lower() == ".svg":
        write_picture(asked.output, sweep)
    else:
        write_page(asked.output, render_sweep(sweep, wanted))
    return [f"Wrote {asked.output}", *sentences(sweep, wanted)]


def _models(given: "list[tuple[Path, AuditResult]]", asked: Asked) -> list[str]:
    from audit.atomic_write import write_together
    from reports.inputs.files import refuse_twice
    from reports.models_page.page import render_models, verdict_lines

    refuse_twice([path for path, _ in given])
    audits = {str(path): audit for path, audit in given}
    files = _beside(render_models(audits), audits, asked)
    write_together(files)
    return [*(f"Wrote {path}" for path in files), *verdict_lines(audits)]


def _audits(audits: "list[AuditResult]", asked: Asked) -> list[str]:
    from audit.atomic_write import write_together
    from reports.audit_page.render import render
    from reports.compliance.dpia import annex_of, docx_of
    from reports.compliance.mapping import load
    from reports.exports.model_card import model_card
    from reports.render.seal import sealed
    from reports.text.sentences import sentences

    first, second = audits[0], audits[1] if len(audits) == 2 else None
    own = tuple(map(load, asked.frameworks))
    moments = ("before", "after") if second else ("",)
    named = {f"{one.checkpoint.file} {when}".strip(): one for when, one in zip(moments, audits, strict=True)}
    files, told = _beside(render(first, second, own), named, asked), list[str]()
    if asked.card is not None:
        files[asked.card] = sealed(model_card(first, second)).encode()
    if asked.dpia:
        answers, new, told = _answers(asked.answers, first, second)
        files |= annex_of(asked.output, first, second, own, answers) | new
        if asked.docx:
            files |= docx_of(asked.output, first, second, own, answers)
    write_together(files)
    return [*(f"Wrote {path}" for path in files), *told, *sentences(first, second)]


def _beside(page: str, audits: "Mapping[str, AuditResult]", asked: Asked) -> dict[Path, bytes]:
    """Return the page, and what was asked for beside it of any number of audits."""
    from reports.exports.pdf import as_pdf
    from reports.exports.table import as_csv

    files = {asked.output: page.encode()}
    if asked.csv is not None:
        files[asked.csv] = as_csv(audits).encode()
    if asked.pdf:
        files[asked.printed] = as_pdf(page)
    return files


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
