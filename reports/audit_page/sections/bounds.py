"""Every bound on all attackers, tried or not, with what it was counted on."""

from audit.evidence.findings import Finding
from audit.evidence.headline import written_guess
from audit.evidence.numbers import at_most_percent, bare, count, shorten
from reports.inputs.by_attribute import by_attribute
from reports.inputs.comparison import Comparison, Pair
from reports.render.section import Section, Told
from reports.render.table import NOTHING, Body, Row, Table, over
from reports.text.bounds import basis, bits_at_most, read_at_most
from reports.text.figures import score

PARTS = ("At most, %", "Strongest tried, %", "At most, bits", "Distinct vectors", "Rows counted", "Worth at least")


def view(comparison: Comparison) -> Told | None:
    """Prepare the bounds; None where no layer gives so few distinct vectors that they could be counted."""
    table = bounds_table(comparison)
    several = several_table(comparison)
    return Told(basis(comparison), (table, several) if several else (table,)) if table else None


SECTION = Section("bounds", "Bound on every attacker", view)


def bounds_table(comparison: Comparison) -> Table | None:
    """Return every bound with what it was counted on, or None where there are none."""
    bodies = []
    for pairs in by_attribute(comparison.pairs):
        found = pairs[0].last.found
        if rows := tuple(_row(pair) for pair in pairs if any(one.found.certificate for one in pair.readings)):
            most = found.measurement.entropy or 0.0
            against = f"a guess: {written_guess(found.measurement)}, H(v): {most:.2f} bits"
            bodies.append(Body(shorten(found.attribute), rows, against))
    whens = [when for when, _ in comparison.audits]
    columns = ("Layer", *(PARTS * len(whens)))
    groups = tuple((when, len(PARTS)) for when in whens) if len(whens) > 1 else ()
    caption = "Bounds on every attacker, tried or not"
    return Table(caption, columns, kind=f"bounds-{len(whens)}", bodies=tuple(bodies), groups=groups) if bodies else None


def several_table(comparison: Comparison) -> Table | None:
    """Return the bounds on who has several releases of one person, of the last audit, or None where there are none."""
    bounded = [(pair.last.found, one) for pair in comparison.pairs if (one := pair.last.found.certificate)]
    releases = next(([more.releases for more in one.several] for _, one in bounded if one.several), [])
    rows: dict[str, list[Row]] = {}
    for found, one in bounded:
        if releases and [more.releases for more in one.several] == releases:
            told = [one.balanced_accuracy, *(more.balanced_accuracy for more in one.several)]
            row = Row(shorten(found.layer), tuple(map(at_most_percent, told)))
            rows.setdefault(shorten(found.attribute), []).append(row)
    columns = ("Layer", "One release, at most %", *(f"{count(m)} releases, at most %" for m in releases))
    caption = "Bounds on who has several releases of one person, if these are independent given the attribute"
    bodies = tuple(Body(name, tuple(some)) for name, some in rows.items())
    return Table(caption, columns, kind="bounds-several", bodies=bodies) if bodies else None


def _row(pair: Pair) -> Row:
    return Row(shorten(pair.last.found.layer), tuple(told for one in pair.readings for told in _told(one.found)))


def _told(found: Finding) -> tuple[str, ...]:
    one = found.certificate
    if one is None:
        return (NOTHING,) * len(PARTS)
    return (
        read_at_most(one).partition(" ")[0],
        over(bare(score(found.measurement))),
        bits_at_most(one).partition(" ")[0],
        count(one.codes),
        count(one.rows),
        count(int(min(one.independent, default=0))),
    )
