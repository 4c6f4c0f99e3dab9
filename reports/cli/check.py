"""The command `irene check`: the gate of a build."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit.errors import visible
from reports.cli.report import EVIDENCE, Limit, unsealed

if TYPE_CHECKING:
    from reports.gate.gate import Outcome


class OutputFile(click.Path):
    """A file to write; `-` is refused, for stdout carries the sentences or the JSON."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the path."""
        if str(value) == "-":
            self.fail("a file is needed, not stdout. Name one, for instance out/check.xml.", param, ctx)
        return super().convert(value, param, ctx)


def _print_policy(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        from reports.gate.policy import STARTER

        click.echo(STARTER, nl=False)
        context.exit()


OUTPUT = OutputFile(path_type=Path, dir_okay=False)
OUTPUTS = ("report", "junit", "markdown")
"""Options that write a file, in the order they write it."""


@click.command()
@click.argument("evidence", type=EVIDENCE)
@click.option("--before", type=EVIDENCE, help="The audit of the checkpoint before it, told beside it.")
@click.option(
    "--limit",
    type=Limit(0, 1),
    help="Largest excess over the floor that passes, of balanced accuracy or of R²; as it was audited if left out.",
)
@click.option("--private", help="Attributes that must have been audited, with commas between them.")
@click.option(
    "--task-drop",
    type=Limit(0, 1),
    help="Largest loss of the task's accuracy, or R², since --before that passes, 0.02 for 2 points.",
)
@click.option(
    "--keep-drop",
    type=Limit(0, 1),
    help="Largest loss since --before of what is read of each attribute to keep that passes.",
)
@click.option(
    "--allow-chance",
    is_flag=True,
    help="Let pass a model that is no better at its task than always answering the most frequent class.",
)
@click.option("--allow-inconclusive", is_flag=True, help="Let pass what these rows cannot tell; a leak never passes.")
@click.option("--report", type=OUTPUT, help="Also write the HTML report, whatever the outcome.")
@click.option("--junit", type=OUTPUT, help="Also write the outcome as JUnit XML.")
@click.option("--markdown", type=OUTPUT, help="Also write it as Markdown, for a pull request.")
@click.option(
    "--policy", type=EVIDENCE, help="A TOML file of what must be in the evidence; what is not there is exit code 4."
)
@click.option(
    "--print-policy",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_policy,
    help="Print a policy to start from.",
)
@unsealed
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON on stdout, and the sentences on stderr.")
def check(evidence: Path, before: Path | None, private: str | None, as_json: bool, **given: Any) -> None:
    """Pass or fail a build by what the audit in EVIDENCE found.

    \b
    Exit codes:
      0  every private attribute passes at every layer
      1  an error: there is no evidence, or it cannot be judged
      2  the command is called wrongly
      3  an attacker reads one of them beyond the limit
      4  these rows cannot tell (0 with --allow-inconclusive), or the evidence lacks what --policy asks
      5  the task, or what was to be kept, is lost: the model is no better at its task than always answering the most
         frequent class (0 with --allow-chance), or lost more than --task-drop or --keep-drop

    Every verdict is decided again from its figures, at --limit if one is given; one that does not follow from
    them is an error.

    \b
    Example:
      irene check out/after.json --before out/before.json --limit 0.05 --private colour \\
          --report out/report.html --junit out/check.xml --markdown out/summary.md
    """
    outputs: dict[str, Path] = {what: given[what] for what in OUTPUTS if given[what] is not None}
    _refuse_overlap({"the evidence": evidence, "the evidence before": before, "the policy": given["policy"]}, outputs)
    required = [name.strip() for name in (private or "").split(",") if name.strip()]
    if private is not None and not required:
        raise click.BadParameter("it names no attribute.", param_hint="--private")

    from audit.atomic_write import write_together
    from audit.evidence.audit_result import read_audit
    from reports.gate.gate import conclusion, gate
    from reports.gate.json import outcome_json
    from reports.gate.requirements import Losses
    from reports.gate.told import told
    from reports.text.caveats import plain_cautions

    _refuse_foreign(outputs)
    outcome = gate(
        read_audit(evidence, allow_unsealed=given["allow_unsealed"]),
        read_audit(before, allow_unsealed=given["allow_unsealed"]) if before else None,
        limit=given["limit"],
        private=required,
        allow_inconclusive=given["allow_inconclusive"],
        losses=Losses(given["task_drop"], given["keep_drop"], given["allow_chance"]),
        policy=given["policy"],
        files=[evidence, *([before] if before else [])],
    )
    if outputs:
        write_together(_contents(outcome, outputs))
    for line in (
        *told(outcome),
        *(f"Wrote {path}" for path in outputs.values()),
        conclusion(outcome),
    ):
        click.echo(visible(line), err=as_json)
    for warning in plain_cautions(outcome.comparison):
        click.echo(visible(f"Note: {warning}"), err=True)
    if as_json:
        click.echo(outcome_json(outcome, outputs))
    click.get_current_context().exit(outcome.exit_code)


def _contents(outcome: "Outcome", outputs: dict[str, Path]) -> dict[Path, bytes]:
    from reports.gate.junit import junit
    from reports.gate.markdown_summary import markdown
    from reports.gate.told import checked

    contents = {}
    if report := outputs.get("report"):
        from reports.audit_page.render import render_comparison

        contents[report] = render_comparison(replace(outcome.comparison, checked=checked(outcome))).encode()
    if path := outputs.get("junit"):
        contents[path] = junit(outcome)
    if path := outputs.get("markdown"):
        contents[path] = markdown(outcome, report).encode()
    return contents


def _refuse_foreign(outputs: dict[str, Path]) -> None:
    """Refuse an output in the place of a file that no such command wrote."""
    from audit.atomic_write import refuse_unless
    from reports.gate import junit, markdown_summary
    from reports.render import template

    own = {"report": template.is_own, "junit": junit.is_own, "markdown": markdown_summary.is_own}
    for what, path in outputs.items():
        refuse_unless(own[what], path)


def _refuse_overlap(read: dict[str, Path | None], outputs: dict[str, Path]) -> None:
    """Refuse an output that is an input, or the same output twice."""
    taken = {path.resolve(): what for what, path in read.items() if path is not None}
    for option, path in outputs.items():
        if what := taken.get(path.resolve()):
            raise click.UsageError(f"--{option} {path} is {what} and would be lost. Name another file.")
        taken[path.resolve()] = f"what --{option} writes"
