"""How many rows of each class the figures rest on, and which rows no attacker saw."""

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.numbers import count, named, rows_told, shorten
from reports.inputs.comparison import Comparison, Pair
from reports.render.section import Section, Told
from reports.render.table import Body, Row, Table

WITHHELD = "withheld"


def view(comparison: Comparison) -> Told:
    """Prepare the rows of every class, in each split."""
    return Told(classes_text(comparison.measured, comparison.last), (classes(comparison.measured),))


SECTION = Section("classes", "Classes and subgroups", view)


def classes(pairs: tuple[Pair, ...]) -> Table:
    """Return the rows of every class of every attribute in each split; they are the same at every layer."""
    once = {pair.last.found.attribute: pair.last.found for pair in pairs}
    return Table(
        kind="classes",
        caption="Rows of each class",
        columns=("Class", "Train", "Select", "Test"),
        bodies=tuple(Body(shorten(name), _rows(found)) for name, found in once.items()),
    )


def classes_text(pairs: tuple[Pair, ...], audit: AuditResult) -> tuple[str, ...]:
    """Return what to know of groups, of intersections, and of counts that are not shown."""
    data = audit.data
    if data.group:
        unit = named(data.group)
        group = (
            f"Rows are kept together by {unit}: none stands on two sides of a split, and intervals resample whole "
            f"groups. The splits hold {count(data.train.groups)} to train, {count(data.select.groups)} to select "
            f"and {count(data.test.groups)} to test."
        )
    else:
        group = (
            "No group was named, so every row stands alone. If rows belong together, such as several images of one "
            "person, the intervals here are too narrow: --group keeps them together."
        )
    found = {pair.last.found.attribute: pair.last.found for pair in pairs}
    joined = [named(name) for name in found if "+" in name]
    if joined:
        of = f"{', '.join(joined)} {'is an intersection' if len(joined) == 1 else 'are intersections'}"
        subgroups = f"{of} of attributes: its classes are the subgroups, and one that is too rare to audit is left out."
    else:
        subgroups = "No intersection of attributes was audited: --private a+b audits the subgroups of two."
    withheld = any(None in _counts(one) for one in found.values())
    told = ["Counts so small that they could single people out are withheld."] if withheld else []
    return group, subgroups, *told


def _counts(one: Finding) -> list[int | None]:
    measurement = one.measurement
    split = (rows for each in measurement.classes for rows in (each.train, each.select, each.test))
    return [*measurement.left_out.values(), *split]


def _rows(found: Finding) -> tuple[Row, ...]:
    measurement = found.measurement
    rows = [
        Row(
            shorten(one.name) if measurement.kind.percent else "with a value",
            tuple(_told(rows) for rows in (one.train, one.select, one.test)),
        )
        for one in measurement.classes
    ]
    if measurement.missing:
        rows.append(Row("no value", (), note=f"{rows_told(measurement.missing)}; no attacker saw them"))
    rows += [Row(shorten(name), (), note=_left_out(rows)) for name, rows in measurement.left_out.items()]
    return tuple(rows)


def _told(rows: int | None) -> str:
    return WITHHELD if rows is None else count(rows)


def _left_out(rows: int | None) -> str:
    return f"left out: {rows_told(rows) if rows is not None else 'count withheld'}, too few to audit"
