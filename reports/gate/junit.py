"""The gate's outcome as JUnit XML, which build servers show beside the other tests.

One suite for the audit, one case for each private attribute at each layer, and for what else was asked. It fits the XSD
of Ant's JUnit task (Windy Road), the strictest in use; Jenkins, GitLab and GitHub's actions read the same.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from audit.errors import visible
from audit.evidence.findings import Verdict
from audit.evidence.numbers import one_line
from reports.gate.gate import Outcome, conclusion
from reports.gate.requirements import Requirement
from reports.gate.told import WORDS, required, told
from reports.inputs.comparison import Pair
from reports.inputs.retention import Retention
from reports.text.caveats import plain_cautions
from reports.text.sentences import sentence

BEGINS = b"<?xml version='1.0' encoding='utf-8'?>\n<testsuites>\n  <testsuite name=\"irene check: "
UNTIMED = "0"
"""The format asks for seconds, and the evidence has none."""


def is_own(path: Path) -> bool:
    """Return whether a file begins as `junit` does."""
    try:
        with path.open("rb") as file:
            return file.read(len(BEGINS)) == BEGINS
    except OSError:
        return False


def junit(outcome: Outcome) -> bytes:
    """Return the outcome as JUnit XML in UTF-8; the same outcome gives the same bytes."""
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", _attributes(outcome))
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(outcome).items():
        ET.SubElement(properties, "property", {"name": name, "value": visible(value)})
    comparison = outcome.comparison
    for pair in comparison.pairs:
        _case(suite, pair, allowed=outcome.allow_inconclusive)
    for one in outcome.requirements:
        _required_case(suite, one, allowed=outcome.allow_inconclusive and not one.must)
    ET.SubElement(suite, "system-out").text = _lines([*told(outcome), conclusion(outcome)])
    ET.SubElement(suite, "system-err").text = _lines(plain_cautions(comparison))
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _attributes(outcome: Outcome) -> dict[str, str]:
    states: dict[Retention, Verdict] = {"retained": "PASS", "lost": "FAIL", "open": "INCONCLUSIVE"}
    verdicts = [one.decided.verdict for one in outcome.findings] + [states[one.state] for one in outcome.requirements]
    let_pass = [one.decided.verdict == "INCONCLUSIVE" for one in outcome.findings]
    let_pass += [one.state == "open" and not one.must for one in outcome.requirements]
    skipped = sum(let_pass) if outcome.allow_inconclusive else 0
    return {
        "name": visible(f"irene check: {one_line(outcome.audit.checkpoint.file)}"),
        "package": "irene",
        "id": "0",
        **_timestamp(outcome.audit.created),
        "hostname": "localhost",  # which machine it was is not in the evidence; the format asks for this then
        "tests": str(len(verdicts)),
        "failures": str(len(verdicts) - verdicts.count("PASS") - skipped),
        "errors": "0",
        "skipped": str(skipped),
        "time": UNTIMED,
    }


def _properties(outcome: Outcome) -> dict[str, str]:
    audit = outcome.audit
    return {
        "limit": str(audit.protocol.limit),
        "limit set by": audit.protocol.limit_set_by,
        "limit from": outcome.limit_from,
        "n": str(audit.tested),
        "data fingerprint": audit.data.fingerprint,
        **{f"checkpoint sha256, {when.lower()}": one.checkpoint.sha256 for when, one in outcome.comparison.audits},
        "exit code": str(outcome.exit_code),
    }


def _case(suite: ET.Element, pair: Pair, *, allowed: bool) -> None:
    found, decided = pair.last.found, pair.last.found.decided
    # the checkpoint's name is not part of the case's, so that a build server knows it again in the next build
    name = visible(f"{one_line(found.attribute)} at {one_line(found.layer)}")
    case = ET.SubElement(suite, "testcase", {"name": name, "classname": "irene.check", "time": UNTIMED})
    told = {"message": visible(f"{decided.verdict}: {decided.reason}"), "type": decided.verdict}
    match decided.verdict, allowed:
        case "PASS", _:
            pass
        case "INCONCLUSIVE", True:
            ET.SubElement(case, "skipped", {"message": f"let pass by --allow-inconclusive: {told['message']}"})
        case _:
            ET.SubElement(case, "failure", told).text = visible(sentence(pair))


def _required_case(suite: ET.Element, one: Requirement, *, allowed: bool) -> None:
    name = visible(f"{one.name}, {one.subject}")
    case = ET.SubElement(suite, "testcase", {"name": name, "classname": "irene.check", "time": UNTIMED})
    message = visible(f"{WORDS[one.state]}: {one.reason}")
    match one.state, allowed:
        case "retained", _:
            pass
        case "open", True:
            ET.SubElement(case, "skipped", {"message": f"let pass by --allow-inconclusive: {message}"})
        case _:
            ET.SubElement(case, "failure", {"message": message, "type": WORDS[one.state]}).text = visible(required(one))


def _timestamp(created: str) -> dict[str, str]:
    """Return when the audit was, in UTC and without a zone, as the format wants it; nothing where it is no time."""
    try:
        moment = datetime.fromisoformat(created).astimezone(UTC)
    except (ValueError, OverflowError):
        return {}
    return {"timestamp": moment.replace(tzinfo=None).isoformat(timespec="seconds")}


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(map(visible, lines))
