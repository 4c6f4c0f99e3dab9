"""The verdicts in words: what the page and the command line both say."""

from collections.abc import Sequence

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Ceiling, Verdict
from audit.evidence.headline import (
    Judged,
    Measured,
    guess,
    headline,
    tested_rows,
    unit,
    written,
    written_excess,
    written_guess,
    written_limit,
)
from audit.evidence.numbers import count, limit_points, measured, named, one_line, plain, share, trimmed
from reports.inputs.comparison import Pair, Reading, compare
from reports.text.bounds import bound

NO_TASK = "no task was named; the floor is chance"


def sentences(before: AuditResult, after: AuditResult | None = None) -> list[str]:
    """Return one sentence per attribute and layer: the verdict with every figure it has to be read against.

    Raises:
        EvidenceError: The two audits cannot be compared.
    """
    comparison = compare(before, after)
    return [*map(sentence, comparison.pairs), *map(kept_sentence, comparison.kept)]


def sentence(pair: Pair[Judged]) -> str:
    """Return the verdict on one attribute at one layer as a line for a terminal."""
    found = pair.last.found
    known = "answering the mean gives" if unit(found) == "R²" else "a guess"
    if pair.last.audit.task:
        floor = f"the predicted task label alone gives {written(found, found.floor)} and {known} {written_guess(found)}"
    else:
        floor = f"{NO_TASK}, {written_guess(found)}"
    text = (
        f"{found.verdict}: {_place(found)}: {claim(pair)}, {_read(pair)}; {floor}, so the excess is "
        f"{written_excess(found)} against a limit of {limit(pair.last)}, on {count(tested_rows(found))} test rows."
    )
    if most := bound(found):
        text += f" {most}"
    if found.verdict == "INCONCLUSIVE":
        text += f" {plain(found.reason)}"
    if is_untold(pair):
        text += f" {told_ceiling(pair)}"
    if pair.last.head and pair.last.head.contradicted:
        text += f" {contradiction(pair.last)}"
    return text


def kept_sentence(pair: Pair[Measured]) -> str:
    """Return what can be read of an attribute that should stay readable, as a line for a terminal."""
    found = pair.last.found
    known = "answering the mean gives" if unit(found) == "R²" else "a guess gives"
    return f"KEPT: {_place(found)}: {_read(pair)}; {known} {written_guess(found)}."


def claim(pair: Pair[Judged]) -> str:
    """Return what the verdict says about the attribute, without a figure or a full stop."""
    earlier: Verdict | None = pair.first.found.verdict if pair.first else None
    match pair.last.found.verdict:
        case "FAIL":
            return f"a fresh attacker {'still ' if earlier == 'FAIL' else ''}reads it beyond the limit"
        case "PASS":
            return f"no attacker tried reads it beyond the limit{' any more' if earlier == 'FAIL' else ''}"
        case "INCONCLUSIVE":
            return "not a pass, these rows cannot tell whether it is read beyond the limit"


def limit(reading: Reading[Judged]) -> str:
    """Return the limit and who set it."""
    who = "set by the user" if reading.audit.protocol.limit_set_by == "user" else "set by default"
    return f"{written_limit(reading.found)} ({who})"


def audit_limit(audit: AuditResult) -> str:
    """Return the limit of an audit in the units of what it measured."""
    shares = [limit_points(audit.protocol.limit)] if audit.leakage else []
    numbers = [f"{trimmed(audit.protocol.limit, 5)} of R²"] if audit.continuous else []
    return " and ".join(shares + numbers)


def unpaired(pairs: Sequence[Pair[Measured]]) -> str:
    """Return what to know of changes whose interval takes both audits as independent."""
    paired = [pair.change.paired for pair in pairs if pair.change]
    if all(paired):
        return ""
    return "; not all changes are paired" if any(paired) else "; changes are not paired"


def contradiction(reading: Reading[Judged]) -> str:
    """Return how a fresh attacker refutes the sanitizer's own head.

    Raises:
        ValueError: The reading has no head to refute.
    """
    if reading.head is None:
        raise ValueError("this reading has no in-loop head")
    says, reads = measured(reading.head.accuracy), share(headline(reading.found))
    return (
        f"Self-certification failed: the sanitizer's own head says {says}, a fresh attacker reads {reads}; "
        "the head is no evidence of removal."
    )


def ceiling_of(pair: Pair[Measured]) -> Ceiling | None:
    """Return what was read from the raw input; it is the same for both checkpoints, so the last one tells."""
    return next((one.found.ceiling for one in reversed(pair.readings) if one.found.ceiling), None)


def is_able(pair: Pair[Measured]) -> bool:
    """Whether the attackers read the raw input better than a guess and than shuffled labels."""
    ceiling, found = ceiling_of(pair), pair.last.found
    return ceiling is not None and ceiling.figure.low > max(guess(found), found.null.high)


def is_untold(pair: Pair[Judged]) -> bool:
    """Whether a PASS may be the attackers' weakness: they could not read the raw input either."""
    return pair.last.found.verdict == "PASS" and ceiling_of(pair) is not None and not is_able(pair)


def told_ceiling(pair: Pair[Judged]) -> str:
    """Return in a sentence whether the same attackers are able to read the attribute at all."""
    ceiling, found = ceiling_of(pair), pair.last.found
    if ceiling is None:
        return "What these attackers read from the raw input was not measured."
    figure = written(found, ceiling.figure)
    read = f"R² {figure}" if unit(found) == "R²" else str(figure)
    if is_able(pair):
        return f"The same attackers read {read} from the raw input, so they are able to."
    weak = f"The same attackers read {read} from the raw input, not clearly more than shuffled labels or a guess give"
    return f"{weak}: a weak attacker cannot be told from no leak." if found.verdict == "PASS" else f"{weak}."


def attribute_at(found: Measured) -> str:
    """Return which attribute and which layer, for a caption."""
    return f"{named(found.attribute)} at {named(found.layer)}"


def _read(pair: Pair[Measured]) -> str:
    found = pair.last.found
    read = written(found, headline(found))
    told = f"R² {read.value}" if unit(found) == "R²" else f"{read.value} balanced accuracy"
    earlier = f"; {written(found, headline(pair.first.found))} before" if pair.first else ""
    return f"{told} (95 % interval {read.interval}){earlier}"


def _place(found: Measured) -> str:
    return f"{one_line(found.attribute)} at {one_line(found.layer)}"
