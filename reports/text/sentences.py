"""The verdicts in words: what the page and the command line both say."""

from collections.abc import Sequence

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Ceiling, Finding, Verdict
from audit.evidence.headline import (
    written,
    written_excess,
    written_guess,
    written_level,
    written_limit,
    written_nothing,
    written_task,
)
from audit.evidence.method_card import MethodCard
from audit.evidence.metric import METRICS
from audit.evidence.numbers import count, measured, named, one_line, plain
from audit.evidence.verdict import held_for, is_by_measured_floor, most_allowed
from reports.inputs.comparison import Comparison, Pair, Reading, compare
from reports.inputs.retention import TOLERANCE, kept_state
from reports.text.bounds import bound, read_at_most
from reports.text.figures import floor, pair_change, score, with_metric, written_task_change

KEPT_STATES = {
    "lost": "Lost, by the paired change or since it fell to its floor",
    "open": "Not clearly retained, and not clearly lost",
    "retained": "Retained, with a loss of at most {:g} points",
    "not readable": "Not clearly readable above the floor",
    "readable": "Readable above the floor",
}
"""How a page names what became of an attribute to keep, the gravest first."""
MOST_LISTED = 20
"""Attributes that a sentence names at most."""
BY_MEASURED_FLOOR = "by the measured floor"
"""Of a bound that lies within the limit of the floor's middle, and not of its lower end."""
NO_TASK = "no task was named; the floor is chance"


def sentences(before: AuditResult, after: AuditResult | None = None) -> list[str]:
    """Return one sentence per attribute and layer: the verdict with every figure it has to be read against.

    Raises:
        EvidenceError: The two audits cannot be compared.
    """
    comparison = compare(before, after)
    return [*map(sentence, comparison.pairs), *map(retained_sentence, comparison.retained)]


def sentence(pair: Pair) -> str:
    """Return the verdict on one attribute at one layer as a line for a terminal."""
    found, measurement, decided = pair.last.found, pair.last.measurement, pair.last.found.decided
    known = measurement.kind.guess if measurement.kind.percent else f"{measurement.kind.guess} gives"
    guess = written_guess(measurement)
    if pair.last.audit.task:
        told = f"the predicted task label alone gives {floor(measurement)} and {known} {guess}"
    else:
        told = f"{NO_TASK}, {guess}"
    text = (
        f"{decided.verdict}: {_place(found)}: {claim(pair)}, {_read(pair)}; {told}, so the excess is "
        f"{written_excess(found)} against a limit of {limit(pair.last)}, on {count(measurement.test_rows)} test rows."
    )
    if most := bound(found):
        text += f" {most}"
    if decided.verdict == "INCONCLUSIVE":
        text += f" {plain(decided.reason)}"
    if is_doubtful(pair):
        text += f" {ceiling_text(pair)}"
    if pair.last.head and pair.last.head.contradicted:
        text += f" {contradiction(pair.last)}"
    return text


def retained_sentence(pair: Pair, tolerance: float | None = None) -> str:
    """Return what became of an attribute that should stay readable, as a line for a terminal.

    `tolerance` is the largest loss at which it counts as retained; the default if left out.
    """
    measurement, state = pair.last.measurement, kept_state(pair, tolerance)
    guess = f"{measurement.kind.guess} gives {written_guess(measurement)}"
    told = f", a change of {pair_change(pair, measurement.metric)}" if pair.first else ""
    word = {"readable": "KEPT"}.get(state, state.upper())
    return f"{word}: {_place(pair.last.found)}: {_read(pair)}{told}; {guess}."


def retained_by_state(pairs: Sequence[Pair], tolerance: float | None = None) -> list[str]:
    """Return in a sentence for each state which attributes were retained or lost, or are readable or not.

    `tolerance` is the largest loss at which one counts as retained; the default if left out.
    """
    most = 100 * (TOLERANCE if tolerance is None else tolerance)
    found: dict[str, list[str]] = {}
    for pair in pairs:
        changed = f" ({pair_change(pair, pair.last.measurement.metric)})" if pair.first else ""
        found.setdefault(kept_state(pair, tolerance), []).append(f"{attribute_at(pair.last.found)}{changed}")
    return [
        f"{KEPT_STATES[state].format(most)}: {', '.join(found[state][:MOST_LISTED])}"
        f"{f' and {len(found[state]) - MOST_LISTED} more' if len(found[state]) > MOST_LISTED else ''}."
        for state in KEPT_STATES
        if state in found
    ]


def task_sentence(comparison: Comparison) -> str:
    """Return how well the model does its task, before and after, as a line for a terminal; empty without one."""
    tasks = [audit.task for _, audit in comparison.audits if audit.task]
    if not tasks:
        return ""
    last, told = tasks[-1], " → ".join(str(written_task(task)) for task in tasks)
    if len(tasks) == 2:
        told += f", a change of {written_task_change(*tasks)}"
    return f"TASK: {one_line(last.name)}: {last.title} {told}; {last.nothing} gives {written_nothing(last)}."


def claim(pair: Pair) -> str:
    """Return what the verdict says about the attribute, without a figure or a full stop."""
    earlier: Verdict | None = pair.first.found.decided.verdict if pair.first else None
    match pair.last.found.decided.verdict:
        case "FAIL":
            return f"a fresh attacker {'still ' if earlier == 'FAIL' else ''}reads it beyond the limit"
        case "PASS":
            return _held(pair.last.found, " any more" if earlier == "FAIL" else "")
        case "INCONCLUSIVE":
            return "not a pass, these rows cannot tell whether it is read beyond the limit"


def _held(found: Finding, any_more: str) -> str:
    """Return for whom the limit holds: every attacker, by a bound that lies within it, or the attackers tried."""
    most = found.certificate
    if held_for(found) == "every attacker":
        by_floor = f", {BY_MEASURED_FLOOR}" if is_by_measured_floor(found) else ""
        return f"no attacker whatever reads it beyond the limit{any_more}{by_floor}"
    told = f"no attacker tried reads it beyond the limit{any_more}"
    if most is None:
        return told
    allowed = written_level(found.measurement, most_allowed(found))
    return f"{told}, though the bound on every attacker, {read_at_most(most)}, lies beyond floor and limit, {allowed}"


def limit(reading: Reading) -> str:
    """Return the limit and who set it."""
    who = "set by the user" if reading.audit.protocol.limit_set_by == "user" else "set by default"
    return f"{written_limit(reading.found)} ({who})"


def audit_limit(audit: AuditResult) -> str:
    """Return the limit of an audit in the units of what it measured."""
    once = {one.measurement.metric: one for one in audit.private}
    return " and ".join(written_limit(once[metric]) for metric in METRICS if metric in once)


def unpaired(pairs: Sequence[Pair]) -> str:
    """Return what to know of changes whose interval takes both audits as independent."""
    paired = [pair.change.paired for pair in pairs if pair.change]
    if all(paired):
        return ""
    return "; not all changes are paired" if any(paired) else "; changes are not paired"


def described(card: MethodCard | None) -> str:
    """Return what a removal method does, in a clause that follows its name: the words of its own card."""
    return card.description if card else "has no description on record"


def contradiction(reading: Reading) -> str:
    """Return how a fresh attacker refutes the sanitizer's training adversary.

    Raises:
        ValueError: The reading has no head to refute.
    """
    if reading.head is None:
        raise ValueError("this reading has no in-loop head")
    says, reads = measured(reading.head.accuracy), score(reading.measurement)
    return (
        f"Self-certification failed: the sanitizer's own head says {says}, a fresh attacker reads {reads}; "
        "the head is no evidence of removal."
    )


def ceiling_of(pair: Pair) -> Ceiling | None:
    """Return the input control; it is the same for both checkpoints, and the last audit that has it counts."""
    return next((one.measurement.ceiling for one in reversed(pair.readings) if one.measurement.ceiling), None)


def is_able(pair: Pair) -> bool:
    """Whether the attackers read the raw input better than a guess and than shuffled labels."""
    ceiling, measurement = ceiling_of(pair), pair.last.measurement
    return ceiling is not None and ceiling.figure.low > max(measurement.guess, measurement.null.high)


def is_doubtful(pair: Pair) -> bool:
    """Whether a PASS may be the attackers' weakness: they could not read the raw input either."""
    return pair.last.found.decided.verdict == "PASS" and ceiling_of(pair) is not None and not is_able(pair)


def ceiling_text(pair: Pair) -> str:
    """Return in a sentence whether the same attackers are able to read the attribute at all."""
    ceiling, measurement = ceiling_of(pair), pair.last.measurement
    if ceiling is None:
        return "What these attackers read from the raw input was not measured."
    read = with_metric(measurement, written(measurement, ceiling.figure))
    if is_able(pair):
        return f"The same attackers read {read} from the raw input, so they are able to."
    weak = f"The same attackers read {read} from the raw input, not clearly more than shuffled labels or a guess give"
    is_pass = pair.last.found.decided.verdict == "PASS"
    return f"{weak}: a weak attacker cannot be told from no leak." if is_pass else f"{weak}."


def attribute_at(found: Finding) -> str:
    """Return which attribute and which layer, for a caption."""
    return f"{named(found.attribute)} at {named(found.layer)}"


def _read(pair: Pair) -> str:
    measurement = pair.last.measurement
    read = score(measurement)
    unit = f" {measurement.kind.title}" if measurement.kind.percent else ""
    earlier = f"; {score(pair.first.measurement)} before" if pair.first else ""
    return f"{with_metric(measurement, read.value)}{unit} (95 % interval {read.interval}){earlier}"


def _place(found: Finding) -> str:
    return f"{one_line(found.attribute)} at {one_line(found.layer)}"
