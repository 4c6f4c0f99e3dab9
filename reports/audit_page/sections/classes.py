"""Which rows no attacker saw, and who is exposed; how many rows of each class there are is in the records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from audit.evidence.findings import ClassRecall, Estimate, Finding, TruePositives
from audit.evidence.headline import written_guess
from audit.evidence.numbers import bare, count, fixed, named, percent, rows_told, share, shorten
from reports.charts.attribute import Drawing, captioned_once
from reports.charts.exposure import MOST, WITHHELD, recall_drawing, roc_drawing
from reports.inputs.by_attribute import LARGE, by_attribute, severity, worst
from reports.inputs.comparison import Comparison, Pair
from reports.render.section import Section, Told
from reports.render.table import NOTHING, Body, Row, Table, over
from reports.text.sentences import attribute_at

PICTURED = 2
"""How many attributes are drawn."""
STANDS_OUT = 2
"""How many times as many as a guess finds a cautious attacker must find, surely, to be told of."""
EXPOSED = (
    "A mean can hide a class that is recognised, or a few people who are read with certainty. Recognised: the share "
    "of a class's test rows that the strongest attacker names so."
)
FOUND = (
    "Found: the share of them that it finds if it may name so few of the other class's rows wrongly; a guess finds "
    "no more than that."
)
DASH = "A dash: too few rows to tell."
SMALL = "Withheld: fewer than 20 test groups."
SHOTS = (
    "Who has several rows of one person puts them together. Of people with that many rows and one class: what the "
    "strongest attacker reads of a person, its log-likelihood ratios summed over rows drawn at random."
)


@dataclass(frozen=True)
class Pictured:
    """The drawings of one attribute at the layer that decides."""

    attribute: str
    layer: str
    drawings: tuple[Drawing, ...]


@dataclass(frozen=True)
class Classes:
    """Classes, and who is exposed among them."""

    sentences: tuple[str, ...]
    """How rows are kept together, and what was left out."""
    pictures: tuple[Pictured, ...]
    """Of the worst attributes that have classes."""
    exposed: Told | None
    """None in older evidence, and where there are quantities alone."""
    shots: Told | None
    """None where nobody has several rows."""


def view(comparison: Comparison) -> Classes:
    """Prepare of whom the private attributes can be read."""
    pairs = [worst(some) for some in by_attribute(comparison.pairs)]
    deciding = [pair.last.found for pair in pairs]
    drawn = pictures(pairs, is_large=len(comparison.pairs) > LARGE)
    return Classes(
        sentences=classes_text(comparison),
        pictures=drawn,
        exposed=exposed(deciding, [one for one in deciding if _is_told(one, drawn)]),
        shots=shots(deciding),
    )


SECTION = Section("classes", "Who is exposed", view)


def pictures(pairs: Sequence[Pair], *, is_large: bool) -> tuple[Pictured, ...]:
    """Draw the worst attributes that have classes: a large page one of them, and no more than a drawing of it."""
    with_classes = (pair for pair in sorted(pairs, key=severity) if pair.last.measurement.exposure)
    found = []
    for place, pair in enumerate(islice(with_classes, 1 if is_large else PICTURED)):
        drawn = recall_drawing(pair, f"recall-{place}", both=not is_large)
        more = None if is_large else roc_drawing(pair, f"roc-{place}")
        if drawn:
            found.append(Pictured(drawn.attribute, drawn.layer, (drawn, more) if more else (drawn,)))
    once = iter(captioned_once([drawing for one in found for drawing in one.drawings]))
    return tuple(replace(one, drawings=tuple(islice(once, len(one.drawings)))) for one in found)


def _is_told(found: Finding, drawn: Iterable[Pictured]) -> bool:
    """Whether a drawing gives the recall of every class."""
    places = {(one.attribute, one.layer) for one in drawn}
    return (shorten(found.attribute), shorten(found.layer)) in places and len(found.measurement.classes) <= MOST


def exposed(findings: Sequence[Finding], drawn: Sequence[Finding] = ()) -> Told | None:
    """Return what is read of each class, in a table of binary attributes and one of all others; None without any.

    Args:
        findings: One of each attribute.
        drawn: Those whose recalls a drawing gives, so that no table repeats them.
    """
    asked = next(([*_rates(one)] for one in findings if _rates(one)), [])
    found = [one for one in findings if one.measurement.exposure]
    binary = [one for one in found if [*_rates(one)] == asked and asked]
    rates = [rate for rate in asked if any(one.rate for one in _rated(binary, [rate]))]
    several = [one for one in found if one not in binary and one not in drawn]
    has_recalls = any(one not in drawn for one in binary)
    alarms = tuple(f"Found at {percent(rate)} false alarms, %" for rate in rates)
    caption = "What the strongest attacker reads of each class"
    tables = (
        Table(
            f"{caption} of two",
            ("Class", *(("Recognised, %",) if has_recalls else ()), *alarms),
            kind="exposed-2",
            bodies=tuple(_exposed(one, rates, has_recalls=has_recalls) for one in binary if rates or has_recalls),
        ),
        Table(
            f"{caption} of several",
            ("Class", "Recognised, %"),
            kind="exposed-1",
            bodies=tuple(_exposed(one, [], has_recalls=True) for one in several),
        ),
    )
    shown = tuple(one for one in tables if one.bodies)
    is_withheld = any(one.recall is None for each in found for one in _recalls(each))
    notes = {FOUND: bool(rates), DASH: not all(one.rate for one in _rated(binary, rates)), SMALL: is_withheld}
    words = " ".join([EXPOSED, *(note for note, is_needed in notes.items() if is_needed), *_untold(asked, rates)])
    others = [one for one in found if one not in binary]
    return Told((words, *_most_exposed(binary), *_most_recognised(others)), shown) if found else None


def _recalls(found: Finding) -> list[ClassRecall]:
    return found.measurement.exposure.recalls if found.measurement.exposure else []


def _rates(found: Finding) -> dict[float, None]:
    exposure = found.measurement.exposure
    return dict.fromkeys(one.false_positive_rate for one in (exposure.found if exposure else ()))


def _rated(findings: Iterable[Finding], rates: Sequence[float]) -> list[TruePositives]:
    return [
        one
        for finding in findings
        for one in (finding.measurement.exposure.found if finding.measurement.exposure else ())
        if one.false_positive_rate in rates
    ]


def _untold(asked: Sequence[float], told: Sequence[float]) -> list[str]:
    """Return in a sentence at which false alarms no class could be looked for."""
    few = [percent(rate) for rate in asked if rate not in told]
    return [f"At {' and '.join(few)} false alarms these rows are too few to tell."] if few else []


def _exposed(found: Finding, rates: Sequence[float], *, has_recalls: bool) -> Body:
    rows = [
        Row(
            shorten(one.name),
            (
                *((_percent(one.recall, WITHHELD),) if has_recalls else ()),
                *(_percent(each.rate, NOTHING) for each in _rated([found], rates) if each.wanted == one.name),
            ),
        )
        for one in _recalls(found)
    ]
    return Body(attribute_at(found), tuple(rows))


def _percent(estimate: Estimate | None, otherwise: str) -> str:
    return over(bare(share(estimate))) if estimate else otherwise


def _most_exposed(findings: Iterable[Finding]) -> list[str]:
    """Return in a sentence where a cautious attacker finds most people beyond a guess, if it surely does anywhere."""
    found = [
        (one.rate.low / one.false_positive_rate, one.rate, one, finding)
        for finding in findings
        for one in (finding.measurement.exposure.found if finding.measurement.exposure else ())
        if one.rate and one.rate.low > STANDS_OUT * one.false_positive_rate
    ]
    if not found:
        return []
    _, rate, one, finding = max(found, key=lambda each: each[0])
    return [_told_of(one, rate, finding)]


def _most_recognised(findings: Iterable[Finding]) -> list[str]:
    """Return in a sentence which of several classes is recognised most beyond a guess, if one surely stands out."""
    found = [
        (one.recall.low / finding.measurement.guess, one.recall, one.name, finding)
        for finding in findings
        for one in _recalls(finding)
        if one.recall and one.recall.low > STANDS_OUT * finding.measurement.guess
    ]
    if not found:
        return []
    _, recall, name, finding = max(found, key=lambda each: each[0])
    guess = written_guess(finding.measurement)
    return [
        f"Most recognised is {named(name)} ({attribute_at(finding)}): {share(recall)}, where a guess gives {guess}."
    ]


def _told_of(one: TruePositives, rate: Estimate, finding: Finding) -> str:
    times = fixed(rate.value / one.false_positive_rate, 0)
    return (
        f"Most exposed are rows of {named(one.wanted)} ({attribute_at(finding)}): of these {share(rate)} are found at "
        f"{percent(one.false_positive_rate)} false alarms, {times} times as many as by a guess."
    )


def shots(findings: Sequence[Finding]) -> Told | None:
    """Return what is read of a person with several rows; None where nobody has them."""
    bodies = tuple(
        Body(
            attribute_at(found),
            tuple(
                Row(rows_told(one.rows), (count(one.people), over(bare(share(one.figure)))))
                for one in found.measurement.shots
            ),
        )
        for found in findings
        if found.measurement.shots
    )
    columns = ("Rows of a person", "People", "Balanced accuracy, %")
    caption = "What the strongest attacker reads of a person of whom it has several rows"
    return Told((SHOTS,), (Table(caption, columns, kind="shots", bodies=bodies),)) if bodies else None


def classes(pairs: tuple[Pair, ...]) -> Table:
    """Return the rows of every class of every attribute in each split; they are the same at every layer."""
    once = {pair.last.found.attribute: pair.last.found for pair in pairs}
    return Table(
        kind="classes",
        caption="Rows of each class",
        columns=("Class", "Train", "Select", "Test"),
        bodies=tuple(Body(shorten(name), _rows(found)) for name, found in once.items()),
    )


def classes_text(comparison: Comparison) -> tuple[str, ...]:
    """Return what to know of groups, of intersections, of numbers, and of counts that are not shown."""
    data = comparison.last.data
    if data.group:
        unit = named(data.group)
        group = (
            f"Rows are kept together by {unit}: none stands on two sides of a split, and intervals resample whole "
            f"groups: {count(data.train.groups)} to train, {count(data.select.groups)} to select and "
            f"{count(data.test.groups)} to test."
        )
    else:
        group = "No group was named: every row stands alone."
    found = {pair.last.found.attribute: pair.last.found for pair in comparison.pairs}
    joined = [named(name) for name in found if "+" in name]
    if joined:
        of = f"{', '.join(joined)} {'is an intersection' if len(joined) == 1 else 'are intersections'}"
        subgroups = f"{of} of attributes: its classes are the subgroups, and one that is too rare to audit is left out."
    elif len(found) > 1:
        subgroups = "No intersection of attributes was audited: --private a+b audits the subgroups of two."
    else:
        subgroups = ""
    withheld = any(None in _counts(pair.last.found) for pair in comparison.measured)
    told = ["Counts so small that they could single people out are withheld."] if withheld else []
    numbers = [named(name) for name, one in found.items() if not one.measurement.kind.percent]
    of_numbers = f"{', '.join(numbers)}: {'a number' if len(numbers) == 1 else 'numbers'} without classes; "
    everybody = [f"{of_numbers}everybody's is guessed with the mean error told above."] if numbers else []
    return (group, *([subgroups] if subgroups else []), *told, *everybody)


def _counts(one: Finding) -> list[int | None]:
    measurement = one.measurement
    split = (rows for each in measurement.classes for rows in (each.train, each.select, each.test))
    return [*measurement.left_out.values(), *measurement.merged.values(), *split]


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
    rows += [Row(shorten(name), (), note=_merged(rows)) for name, rows in measurement.merged.items()]
    return tuple(rows)


def _told(rows: int | None) -> str:
    return WITHHELD if rows is None else count(rows)


def _left_out(rows: int | None) -> str:
    return f"left out: {rows_told(rows) if rows is not None else 'count withheld'}, too few to audit"


def _merged(rows: int | None) -> str:
    return f"merged: {rows_told(rows) if rows is not None else 'count withheld'}, too few to audit alone"
