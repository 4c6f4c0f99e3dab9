"""The command `irene plan`: what a release could reach, before anything is trained."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit.cli.options import Real

if TYPE_CHECKING:
    from sanitizer.plan import Plan, Release

NAMES = {
    "codebook": "the label alone",
    "pairs": "pairs of {} words",
    "rich": "a projection to {} dimension{}",
    "map": "a map to {} dimension{}",
}


@click.command()
@click.argument("evidence", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--rows",
    required=True,
    type=click.IntRange(1, 10**12),
    help="Independent rows that may fit a release: people, where rows are of people.",
)
@click.option(
    "--limit", type=Real(0, 1), help="Largest excess over the floor, of balanced accuracy; the audit's if left out."
)
@click.option("--layer", help="The layer that is released, if several were audited.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(evidence: Path, rows: int, limit: float | None, layer: str | None, *, as_json: bool) -> None:
    """Tell from EVIDENCE, an audit, which release can reach a limit, with what bound, and about how much it keeps.

    Nothing is trained. The bound follows from the audited rows, a map's width from the rows that may fit it, and what
    can be kept from what the audit measured (irene audit --keep a,b --watch all). All of it is rough: the result of
    irene sanitize has to be audited all the same.

    \b
    Example:
      irene plan out/before.json --rows 2941 --limit 0.02
    """
    from audit.errors import visible
    from audit.evidence.audit_result import read_audit
    from sanitizer.plan import plan as planned

    found = planned(read_audit(evidence), rows=rows, limit=limit, layer=layer)
    if as_json:
        click.echo(json.dumps(_content(found), indent=2, allow_nan=False))
        return
    for line in _lines(found):
        click.echo(visible(line))


def _lines(found: "Plan") -> Iterator[str]:
    for one in found.private:
        measurement = one.measurement
        yield (
            f"{one.attribute} at {one.layer}: {_percent(measurement.score.value)} is read, where the floor is "
            f"{_percent(measurement.floor_score.value)}: {_points(measurement.excess.value)} above it, against a limit "
            f"of {_points(found.limit)}."
        )
    told = "" if round(found.balanced) >= found.rows else f", worth {found.balanced:,.0f} rows of two equal classes"
    fit = f"{found.rows:,} row{'' if found.rows == 1 else 's'} may fit a release{told}"
    yield f"{fit}; {found.audited:,} independent rows were audited."
    for release in found.releases:
        told = f"{_leaves(release, found)}, {_bound(release, found)}; {_keeps(release)}"
        yield f"- {name(release)} ({release.command}): {told}."
    from sanitizer.plan import BEYOND

    yield (
        f"What a projection or a map leaves is told of what is linear ({_points(found.not_linear)} are read by other "
        "attackers alone); the rest comes on top, on a table (Adult) "
        f"{100 * BEYOND[0]:.0f} to {100 * BEYOND[1]:.0f} points of it. Audit what comes out."
    )
    yield _advice(found) if found.is_needed else "Nothing has to be removed for this limit."


def name(one: "Release") -> str:
    """Return what a release is called, in words."""
    return NAMES[one.method].format(one.size, "" if one.size == 1 else "s")


def _leaves(one: "Release", found: "Plan") -> str:
    if one.method == "codebook":
        return "leaves nothing above the floor"
    if one.bound is not None:
        return "leaves nothing above the floor but the noise of the rows that fit"
    if one.size == found.width:
        return "leaves what is read now"
    return f"leaves {_points(one.leaves)} or more above the floor"


def _bound(one: "Release", found: "Plan") -> str:
    if one.bound is None or one.worst is None:
        if one.size == found.width:
            return "has no bound, and all dimensions pass"
        if one.method == "rich" or one.rows_needed is None:
            return "has no bound"
        return f"has no bound; {one.rows_needed:,} rows would allow all {found.width} dimensions"
    more = "no number of" if one.rows_needed is None else f"about {one.rows_needed:,}"
    within = "" if one.bound <= found.limit else f"; {more} audited rows would bring it within the limit"
    return f"bounded about {_points(one.bound)} above it for any attacker, {_points(one.worst)} at worst{within}"


def _keeps(one: "Release") -> str:
    if one.keeps is None:
        return (
            "keeps what the label tells of other attributes"
            if one.method == "codebook"
            else "what it keeps, an audit tells"
        )
    low, high = (f"{100 * share:.0f}" for share in one.keeps)
    span = f"at most {high}" if low == "0" != high else f"about {low if low == high else f'{low} to {high}'}"
    return f"keeps {span} % of what is read of the attributes to keep"


def _advice(found: "Plan") -> str:
    one = found.choice
    why = {
        "codebook": "nothing else is released, so nothing else can be read; attributes to keep are named with --keep",
        "pairs": "a finite code that an audit bounds; what the words do not say is given up",
        "rich": "without a bound, since the rows are too few for pairs; what is not named is given up",
        "map": "continuous and without a bound; what does not fit into its dimensions is given up",
    }[one.method]
    missed = (
        "" if one.bound is None or one.bound <= found.limit else " No bound comes within the limit with these rows."
    )
    best = (
        ""
        if found.at_best is None
        else (
            f" At best, about {100 * found.at_best:.0f} % of what is read of the attributes to keep could be kept "
            "without telling the private ones, unless training teaches the features more."
        )
    )
    return (
        f"Advice: irene sanitize … --layer {shlex.quote(found.layer)} {one.command}: {name(one)}, {why}.{missed}{best}"
    )


def _content(found: "Plan") -> dict[str, object]:
    return {
        "layer": found.layer,
        "private": [one.attribute for one in found.private],
        "limit": found.limit,
        "rows": found.rows,
        "balanced_rows": found.balanced,
        "audited_rows": found.audited,
        "at_best": found.at_best,
        "not_linear": found.not_linear,
        "needed": found.is_needed,
        "releases": [
            {
                "method": one.method,
                "size": one.size,
                "leaves": one.leaves,
                "bound": one.bound,
                "worst": one.worst,
                "keeps": one.keeps,
                "rows_needed": one.rows_needed,
            }
            for one in found.releases
        ],
        "advice": f"--layer {shlex.quote(found.layer)} {found.choice.command}",
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
