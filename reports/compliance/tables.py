"""The tables of an impact assessment: what was audited, its purpose, what can be inferred, and what a measure did."""

from audit.evidence.findings import Finding
from audit.evidence.headline import written_excess, written_guess, written_limit, written_nothing, written_task
from audit.evidence.numbers import count, named, of_held, shorten
from reports.inputs.comparison import Comparison, Pair, Reading
from reports.render.facts import AuditFact, listed, side_by_side
from reports.render.table import Cell, Table, cell, figure_cell, missing
from reports.text.bounds import read_at_most
from reports.text.figures import floor, pair_change, score, with_metric, written_task_change
from reports.text.sentences import NO_TASK, described

_CHECKPOINT: dict[str, AuditFact] = {
    "File": ("code", lambda audit: shorten(audit.checkpoint.file)),
    "SHA-256": ("code", lambda audit: shorten(audit.checkpoint.sha256)),
    "Architecture": ("code", lambda audit: shorten(audit.checkpoint.architecture)),
    "Audited": ("text", lambda audit: shorten(audit.created)),
    "Evidence (digest)": ("code", lambda audit: shorten(audit.digest or "none")),
}


def checkpoints_table(comparison: Comparison) -> Table:
    """Return which model was audited, in every audit given."""
    return side_by_side("The model", _CHECKPOINT, comparison)


def rows_table(comparison: Comparison) -> Table:
    """Return which rows were audited, and for what."""
    audit = comparison.last
    layers = dict.fromkeys(pair.last.found.layer for pair in comparison.pairs)
    task = shorten(f"{audit.task.name}: {audit.task.told}", 400) if audit.task else NO_TASK
    facts = (
        ("Task", cell(task)),
        ("Private attributes", _attributes(comparison.pairs)),
        ("Should stay readable", _attributes(comparison.retained)),
        ("Layers", cell(", ".join(map(named, layers)))),
        ("Data", cell(shorten(audit.data.name))),
        ("Fingerprint of the rows", cell(shorten(audit.data.fingerprint), kind="code")),
        ("Rows", cell(count(audit.data.rows), f"figures taken on {of_held(audit.tested, audit.data.test.rows)} rows")),
        ("Kept together by", cell(shorten(audit.data.group or "nothing: every row stands alone"))),
    )
    return listed("What was audited", facts)


def measure_table(comparison: Comparison) -> Table | None:
    """Return what the sanitizer says it did to the model audited last, or None where there is no record."""
    made = comparison.last.checkpoint.sanitizing
    if made is None:
        return None
    settings = ", ".join(f"{name} {value}" for name, value in made.settings.items())
    facts = (
        ("Method", cell(shorten(made.method), described(made.card))),
        ("Layer", cell(shorten(made.layer), kind="code")),
        ("Settings", cell(shorten(settings, 400) or "none")),
        ("Made from (SHA-256)", cell(shorten(made.parent_sha256), kind="code")),
        ("Training rows (fingerprint)", cell(shorten(made.data_fingerprint), kind="code")),
    )
    return listed("The measure on the model, as its record tells it", facts)


def _attributes(pairs: tuple[Pair, ...]) -> Cell:
    once = {pair.last.found.attribute: pair.last.found for pair in pairs}
    return cell(", ".join(map(_attribute, once.values()))) if once else missing("none named")


def _attribute(found: Finding) -> str:
    classes = found.measurement.classes
    what = f"{count(len(classes))} classes" if found.measurement.kind.percent else "a number"
    return f"{named(found.attribute)} ({what})"


def use_table(comparison: Comparison) -> Table | None:
    """Return the task's accuracy and what can be read of kept attributes, or None where neither was named."""
    rows = (*_task_row(comparison), *(_kept_row(pair) for pair in comparison.retained))
    whens = [when for when, _ in comparison.audits]
    changed = ["Change"] if len(whens) == 2 else []
    columns = ("Task or attribute", *whens, *changed, "Knowing nothing")
    return Table("What the model is for, and what should stay readable", columns, rows) if rows else None


def _task_row(comparison: Comparison) -> list[tuple[Cell, ...]]:
    tasks = [audit.task for _, audit in comparison.audits if audit.task]
    if not tasks:
        return []
    last, changed = tasks[-1], [figure_cell(written_task_change(*tasks))] if len(tasks) == 2 else []
    guess = cell(written_nothing(last), last.nothing.removeprefix("always answering "), kind="number")
    read = (figure_cell(written_task(task)) for task in tasks)
    return [(cell(shorten(last.name), f"{last.title} on the task"), *read, *changed, guess)]


def _kept_row(pair: Pair) -> tuple[Cell, ...]:
    found, measurement = pair.last.found, pair.last.measurement
    place = cell(shorten(found.attribute), f"{measurement.kind.title} at {shorten(found.layer)}")
    read = (figure_cell(score(one.measurement)) for one in pair.readings)
    changed = [figure_cell(pair_change(pair, measurement.metric))] if pair.first else []
    return place, *read, *changed, cell(written_guess(measurement), measurement.kind.guess, kind="number")


def risk_table(comparison: Comparison) -> Table:
    """Return the leakage of each attribute at each layer, in the first audit given."""
    columns = ("Attribute and layer", "Read", "Floor", "Excess", "Test rows", "Verdict")
    rows = tuple(_risk(pair.readings[0]) for pair in comparison.pairs)
    return Table(f"What can be inferred{', before' if len(comparison.audits) == 2 else ''}", columns, rows)


def effect_table(comparison: Comparison) -> Table | None:
    """Return the leakage before and after, or None for one audit alone."""
    if len(comparison.audits) < 2:
        return None
    columns = ("Attribute and layer", "Before", "After", "Change", "Excess, after", "Verdict, after")
    return Table("What can be inferred, before and after", columns, tuple(map(_effect, comparison.pairs)))


def _risk(reading: Reading) -> tuple[Cell, ...]:
    found = reading.found
    return (
        _place(reading),
        _read(reading),
        _floor(reading),
        figure_cell(written_excess(found), f"limit {written_limit(found)}"),
        cell(count(found.measurement.test_rows), kind="number"),
        _verdict(reading),
    )


def _effect(pair: Pair) -> tuple[Cell, ...]:
    found, measurement = pair.last.found, pair.last.measurement
    return (
        _place(pair.last),
        _read(pair.readings[0]),
        _read(pair.last),
        figure_cell(pair_change(pair, measurement.metric)),
        figure_cell(written_excess(found), f"floor {floor(measurement).value}", f"limit {written_limit(found)}"),
        _verdict(pair.last),
    )


def _place(reading: Reading) -> Cell:
    return cell(shorten(reading.found.attribute), f"at {shorten(reading.found.layer)}")


def _read(reading: Reading) -> Cell:
    most, read = reading.found.certificate, score(reading.measurement)
    bound = (f"bound {read_at_most(most)}",) if most and most.balanced_accuracy < 1 else ()
    return cell(with_metric(reading.measurement, read.value), read.interval, *bound, kind="number")


def _floor(reading: Reading) -> Cell:
    measurement, known = reading.measurement, reading.measurement.kind.guess
    if reading.audit.task is None:
        return cell(written_guess(measurement), f"{known}: no task", kind="number")
    return figure_cell(floor(measurement), f"{known} {written_guess(measurement)}")


def _verdict(reading: Reading) -> Cell:
    verdict = reading.found.decided.verdict
    return cell(verdict, *(["not a pass"] if verdict == "INCONCLUSIVE" else []), kind="number")
