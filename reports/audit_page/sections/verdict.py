"""The answer for each private attribute: one sentence with its limit and rows, and the figures it is read against."""

from collections.abc import Sequence
from dataclasses import replace

from audit.evidence.headline import written_excess, written_guess, written_limit, written_resolution
from audit.evidence.numbers import LONGEST_TEXT, count, named, shorten
from reports.inputs.by_attribute import by_attribute, tally, worst
from reports.inputs.comparison import Checked, Comparison, Pair, Reading
from reports.render.section import Section
from reports.text.bounds import bound
from reports.text.caveats import cautions, doubts
from reports.text.cost import cost
from reports.text.figures import floor, pair_change, score
from reports.text.next_step import next_step
from reports.text.sentences import NO_TASK, ceiling_text, claim, contradiction, limit
from reports.text.verdicts import CHECKED, KINDS, Answer, Answers, CheckAnswer, Stat, stat, summary


def view(comparison: Comparison) -> Answers:
    """Prepare the verdicts of all private attributes."""
    answers = _told_once([verdict(pairs) for pairs in sorted(by_attribute(comparison.pairs), key=_worst_first)])
    said = doubts(comparison.pairs).values()  # each stands in the answer that it is of
    return Answers(
        summary=summary(comparison),
        answers=answers,
        warnings=tuple(shorten(text, LONGEST_TEXT) for text in cautions(comparison) if text not in said),
        cost=cost(comparison),
        check=_checked(comparison.checked) if comparison.checked else None,
    )


SECTION = Section("verdict", "Verdict", view)


def _checked(check: Checked) -> CheckAnswer:
    asked = tuple(shorten(text, LONGEST_TEXT) for text in check.requirements)
    return CheckAnswer(CHECKED[check.does], f"The check {check.does}", shorten(check.conclusion, LONGEST_TEXT), asked)


def _told_once(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Return the answers, of which one whose next step is that of an earlier one refers to it."""
    first: dict[str, str] = {}
    told = []
    for one in answers:
        if one.next is None or first.setdefault(one.next.why, one.attribute) == one.attribute:
            told.append(one)
        else:
            told.append(replace(one, next=replace(one.next, why=f"As for {first[one.next.why]}.")))
    return tuple(told)


def _worst_first(pairs: Sequence[Pair]) -> int:
    """Sort by what the verdict is, and else as the attributes were named."""
    return list(KINDS).index(worst(pairs).last.found.decided.verdict)


def verdict(pairs: Sequence[Pair]) -> Answer:
    """Prepare the verdict on one attribute, at whichever of its layers decides."""
    pair = worst(pairs)
    last, found = pair.last, pair.last.found
    words = claim(pair)
    contradicted = [one.last for one in pairs if one.last.head and one.last.head.contradicted]
    return Answer(
        verdict=found.decided.verdict,
        attribute=shorten(found.attribute),
        layer=shorten(found.layer),
        claim=f"{words[0].upper()}{words[1:]}: {written_excess(found)} over the floor, against a limit of "
        f"{limit(last)}, on {count(found.measurement.test_rows)} test rows.",
        layers=_layers(pairs),
        stats=(*map(_read, pair.readings), *_change(pair), _floor(last), _excess(pair)),
        reason=shorten(found.decided.reason, LONGEST_TEXT) if found.decided.verdict == "INCONCLUSIVE" else "",
        bound=bound(found),
        next=next_step(pair),
        alarm=_alarm(contradicted[0], found.layer) if contradicted else "",
        basis=f"{ceiling_text(pair)} These rows can tell an excess down to about "
        f"{written_resolution(found.measurement)}.",
    )


def _alarm(reading: Reading, decides: str) -> str:
    layer = reading.found.layer
    return contradiction(reading) + ("" if layer == decides else f" This is at {named(layer)}.")


def _layers(pairs: Sequence[Pair]) -> str:
    if len(pairs) == 1:
        return ""
    return f"The worst of {count(len(pairs))} layers: {tally([pair.last.found.decided.verdict for pair in pairs])}."


def _read(reading: Reading) -> Stat:
    measurement = reading.measurement
    name = reading.when if measurement.kind.percent else f"{reading.when}, {measurement.kind.title}"
    return stat(name, score(measurement), *([measurement.kind.title] if measurement.kind.percent else []))


def _change(pair: Pair) -> list[Stat]:
    if pair.change is None:
        return []
    paired = "paired on the same rows" if pair.change.paired else "not paired"
    return [stat("Change", pair_change(pair, pair.last.measurement.metric), paired)]


def _floor(reading: Reading) -> Stat:
    measurement, known = reading.measurement, reading.measurement.kind.guess
    if reading.audit.task is None:
        return Stat(f"{known[0].upper()}{known[1:]} (floor)", written_guess(measurement), "", (NO_TASK,))
    return stat("Task label alone (floor)", floor(measurement), f"{known}: {written_guess(measurement)}")


def _excess(pair: Pair) -> Stat:
    earlier = (f"before: {written_excess(pair.first.found).value}",) if pair.first else ()
    found = pair.last.found
    return stat("Excess over the floor", written_excess(found), f"limit: {written_limit(found)}", *earlier)
