"""What to do next for each verdict: a command where there is one, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.headline import written_limit
from audit.evidence.numbers import named
from audit.evidence.verdict import DoubtKind, doubt, held_for
from reports.inputs.comparison import Pair

EVIDENCE = "AUDIT.json"
"""Stands for the file that the page was made from, which it does not know."""
LAYERS = "irene layers MODEL"
RELEASES = ("code", "map")
HOLD = "Until then, release these features to nobody who must not know the attribute."
"""What to do with them meanwhile."""


@dataclass(frozen=True)
class NextStep:
    """One step."""

    command: str
    """Empty where there is nothing to type."""
    why: str


STEPS: Mapping[DoubtKind, NextStep] = {
    "constant": NextStep(LAYERS, "Check the model and its inputs, or audit another layer of these."),
    "floor": NextStep(
        "",
        "Judge by a limit that an attacker could exceed: the sentence below says which, if there is one. Until then "
        "treat it as not passed.",
    ),
    "limit": NextStep("", "Judge by a larger limit: one so fine is beyond what any rows could tell."),
    "seen": NextStep("", "Audit rows that the removal has not trained on."),
    "mean": NextStep(LAYERS, "Audit the layer behind the model's own pooling, or all positions."),
    "room": NextStep(LAYERS, "Audit another layer: in the features of this one no leak could be planted."),
    "weak": NextStep("", "Audit with other attackers (--attackers): these read less than is told anyway."),
    "layer": NextStep(LAYERS, "Audit a narrower layer, or one behind this: in so wide a one a leak may drown."),
}
"""What settles a doubt, whatever the figures are."""


def next_step(pair: Pair) -> NextStep:
    """Return what to do next about one attribute at the layer that decides."""
    found, audit = pair.last.found, pair.last.audit
    match found.decided.verdict:
        case "FAIL":
            return _mend(found, audit)
        case "INCONCLUSIVE":
            return _settle(found, audit)
        case "PASS":
            return _keep(found)
        case other:
            assert_never(other)


def _mend(found: Finding, audit: AuditResult) -> NextStep:
    made, layer = audit.checkpoint.sanitizing, named(found.layer)
    if not found.measurement.kind.percent:
        cut = "irene removes classes, not numbers: cut this number into classes, audit those, and plan from that audit."
        return NextStep("", f"{cut} {HOLD}")
    if made is not None and made.release in RELEASES:
        fewer = "fewer words (--words)" if made.release == "code" else "fewer dimensions (--rank)"
        return NextStep(
            f"irene plan BEFORE.json --rows N --limit {found.decided.limit:g}",
            f"What {named(made.method)} left is too much. From the audit of the checkpoint before, it says how many "
            f"words or dimensions N training rows allow: {fewer} leave less, and so do more training rows. {HOLD}",
        )
    return NextStep(
        f"irene plan {EVIDENCE} --rows N",
        f"It says which release of {layer} can come within {written_limit(found)} with N rows that may train it, and "
        f"what each keeps; irene sanitize makes it, and the result is audited again. {HOLD}",
    )


def _settle(found: Finding, audit: AuditResult) -> NextStep:
    """Return the step that the doubt asks for: no other than the sentence with the reason does."""
    found_open = doubt(found.measurement, found.decided.limit, found.certificate)
    kind: DoubtKind = found_open.kind if found_open else "rows"
    if kind == "failed":
        failed = next(one.name for one in found.measurement.attackers if one.failure is not None)
        return NextStep("", f"Let every attacker run: the table of attackers says why {named(failed)} did not.")
    if kind == "asked":
        again = f"Audit again with --limit {found.decided.limit:g}: planted leaks are of the size of the limit."
        return NextStep("", again)
    return STEPS[kind] if kind in STEPS else _more_rows(found, audit, or_layer=kind == "rows or layer")


def _more_rows(found: Finding, audit: AuditResult, *, or_layer: bool) -> NextStep:
    measured = found.measurement
    if "--limit-rows" in audit.command:
        return NextStep("", "Audit again without --limit-rows, which held rows back; the sentence below says how many.")
    if measured.held is not None and measured.rows < measured.held:
        return NextStep("", "Audit again without --fit-rows and --test-rows, which drew fewer rows than are held.")
    narrower = ", or a narrower layer" if or_layer else ""
    return NextStep(
        LAYERS if narrower else "",
        f"Audit more rows with the attribute known{narrower}: the sentence below says how many in all. Until then "
        "treat it as not passed.",
    )


def _keep(found: Finding) -> NextStep:
    whom = "every attacker" if held_for(found) == "every attacker" else "attackers like these, with no more rows"
    return NextStep(
        f"irene check {EVIDENCE} --limit {found.decided.limit:g} --private {_typed(found.attribute)}",
        f"In a build it holds the next model to the same limit. This PASS is for {whom}, this attribute and layer, on "
        "rows like these; it is not anonymity. Audit again when weights, rows or who gets the features change.",
    )


def _typed(name: str) -> str:
    """Return a name as it is typed in a shell; a placeholder for one that would need care there."""
    return name if name.replace("+", "").replace("_", "").replace("-", "").isalnum() and name.isascii() else "NAME"
