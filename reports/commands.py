"""The command `irene report`."""

from pathlib import Path

import click

EVIDENCE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("before", type=EVIDENCE)
@click.argument("after", type=EVIDENCE, required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("out/report.html"),
    show_default=True,
    help="The HTML file to write.",
)
def report(before: Path, after: Path | None, output: Path) -> None:
    """Write what one audit found, or what changed between two, as one offline HTML file.

    BEFORE and AFTER are evidence files of `irene audit`, made with the same data and options. The verdict is
    on the last one given.

    \b
    Example:
      irene report out/before.json out/after.json -o out/report.html
    """
    from audit.errors import EvidenceError  # noqa: PLC0415
    from audit.evidence import read_audit  # noqa: PLC0415  keeps `irene --help` fast
    from reports.html import write_report  # noqa: PLC0415
    from reports.wording import sentences  # noqa: PLC0415

    if output.resolve() in {given.resolve() for given in (before, after) if given is not None}:
        raise EvidenceError(f"{output} is the evidence itself and would be lost. Name another file with -o.")
    first = read_audit(before)
    second = None if after is None else read_audit(after)
    write_report(output, first, second)
    click.echo(f"Wrote {output}")
    for sentence in sentences(first, second):
        click.echo(sentence)
