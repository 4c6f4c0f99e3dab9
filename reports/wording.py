"""The verdicts in words: what the page and the command line both say."""

from audit.evidence import AuditResult, Leakage, Verdict
from reports.comparison import Pair, Reading, compare
from reports.figures import count, excess, limit_points, measured, one_line, percent, share


def sentences(before: AuditResult, after: AuditResult | None = None) -> list[str]:
    """Return one sentence per attribute and layer: the verdict with every figure it has to be read against.

    Raises:
        EvidenceError: The two audits cannot be compared.
    """
    return [sentence(pair) for pair in compare(before, after).pairs]


def sentence(pair: Pair) -> str:
    """Return the verdict on one attribute at one layer as a line for a terminal."""
    leakage = pair.last.leakage
    place = f"{one_line(leakage.attribute)} at {one_line(leakage.layer)}"
    read = share(leakage.balanced_accuracy)
    earlier = f"; {share(pair.first.leakage.balanced_accuracy)} before" if pair.first else ""
    text = (
        f"{leakage.verdict}: {place}: {claim(pair)}, {read.value} balanced accuracy (95 % interval "
        f"{read.interval}){earlier}; the predicted task label alone gives {share(leakage.floor)} and a guess "
        f"{percent(leakage.chance)}, so the excess is {excess(leakage.excess, leakage.limit)} against a "
        f"limit of {limit(pair.last)}, on {count(tested_rows(leakage))} test rows."
    )
    if leakage.verdict == "INCONCLUSIVE":
        text += f" {' '.join(leakage.reason.split())}"
    if pair.last.head and pair.last.head.contradicted:
        text += f" {contradiction(pair.last)}"
    return text


def claim(pair: Pair) -> str:
    """Return what the verdict says about the attribute, without a figure or a full stop."""
    earlier: Verdict | None = pair.first.leakage.verdict if pair.first else None
    match pair.last.leakage.verdict:
        case "FAIL":
            return f"a fresh attacker {'still ' if earlier == 'FAIL' else ''}reads it beyond the limit"
        case "PASS":
            return f"no attacker tried reads it beyond the limit{' any more' if earlier == 'FAIL' else ''}"
        case "INCONCLUSIVE":
            return "not a pass, these rows cannot tell whether it is read beyond the limit"


def limit(reading: Reading) -> str:
    """Return the limit and who set it."""
    who = "set by the user" if reading.audit.protocol.limit_set_by == "user" else "set by default"
    return f"{limit_points(reading.leakage.limit)} ({who})"


def contradiction(reading: Reading) -> str:
    """Return how a fresh attacker refutes the sanitizer's own head.

    Raises:
        ValueError: The reading has no head to refute.
    """
    if reading.head is None:
        raise ValueError("this reading has no in-loop head")
    says, reads = measured(reading.head.accuracy), share(reading.leakage.balanced_accuracy)
    return (
        f"Self-certification failed: the sanitizer's own head says {says}, a fresh attacker reads {reads}; "
        "the head is no evidence of removal."
    )


def tested_rows(leakage: Leakage) -> int:
    """Return how many test rows the figures rest on."""
    return sum(one.test for one in leakage.classes)
