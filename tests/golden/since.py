"""What is said today beside what the stored set says: taken out again, everything else is held as it was."""

import copy
import json
import re
from pathlib import Path
from typing import Any

from audit.evidence.json_file import digest

NOTES = re.compile(
    "the model's outputs were taken in the order |the splits spread the kept attributes evenly, too|"
    "the model carries a release|the accuracy on '.*', .* is not above |the model's single output was taken "
)
"""How notes of an audit begin that it did not write then."""
NEW_SHA = "1ba67e49c69143b4691209882e21c692330ef0bbb0d8ebf9b3a658ad6ba80c52"
OLD_SHA = "0cc3be52e40c3cbc19da89e3065fb8543e396e453d7658b54088813c163c4f7c"
"""SHA-256 of the released file today, whose weights stand under `irene.encoder.`, and what it was."""
LINES = (
    re.compile(r"Note: The weights stand under '|Note: What the encoder gives before |TASK: |LOST: task above chance"),
    re.compile(r"Task \w+: accuracy \d.*\]; always answering"),
    re.compile(r"Lost, by the paired change|Not clearly |Retained, with a loss|Readable above the floor"),
    re.compile(r"- \*\*LOST\*\* task above chance"),
)
"""How lines begin that were not written then."""
KEPT = re.compile(
    r"^((?:\d+ \S+: )?)(?:RETAINED|LOST|OPEN|NOT READABLE|KEPT): (.*?)(?:, a change of [^;]*)?"
    r"(; (?:a guess|answering) .*)?$",
    re.MULTILINE,
)
"""What a line on an attribute to keep begins with today; it was always KEPT."""
CHANCE = re.compile(r' *<testcase name="task above chance, .*?</testcase>\n', re.DOTALL)
COUNTS = re.compile(r'tests="(\d+)" failures="(\d+)"')
STATES = re.compile(r"(?<=### What should stay readable\n\n)(\|.*\n)+")
"""The table of attributes to keep in a summary, whose second column is their state."""


def evidence_as_before(content: dict[str, Any]) -> dict[str, Any]:
    """Return evidence without the fields and notes that an audit did not write then, under a digest of its own."""
    old = copy.deepcopy(content)
    old["warnings"] = [note for note in old["warnings"] if not NOTES.match(note)]
    for name in ("guess", "answered") if old.get("task") else ():
        del old["task"][name]
    made = old.get("checkpoint", {}).get("sanitizing")
    if made:
        del made["notes"]
    if "digest" in old:
        old["digest"] = digest(old)
    return old


def files_as_before(folder: Path) -> None:
    """Make all evidence in a folder what it would have been then."""
    for path in folder.glob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        if "protocol" in content:
            path.write_text(json.dumps(evidence_as_before(content), ensure_ascii=False), encoding="utf-8")


def text_as_before(text: str) -> str:
    """Return what a command says today without what it did not say then."""
    parts = re.split(r"(?<=^--- stdout\n)(\{\n.*?^\}\n)", text, maxsplit=1, flags=re.DOTALL | re.MULTILINE)
    told = "".join(_outcome(part) if part.startswith("{\n") else _words(part) for part in parts)
    return told.replace(NEW_SHA, OLD_SHA).replace(NEW_SHA[:12], OLD_SHA[:12])


def _words(text: str) -> str:
    text = re.sub(r"(<system-out>)TASK: [^\n]*\n", r"\1", text)
    if found := CHANCE.search(text):
        text = text.replace(found[0], "")
        text = COUNTS.sub(lambda one: f'tests="{int(one[1]) - 1}" failures="{int(one[2]) - 1}"', text)
    text = re.sub(r"^(## Privacy check: \w+), LOST$", r"\1", text, flags=re.MULTILINE)
    text = re.sub(r"^- \*\*LOST\*\* task above chance.*\n\n", "", text, flags=re.MULTILINE)
    lines = [line for line in text.splitlines(keepends=True) if not any(new.match(line) for new in LINES)]
    text = "".join(line for line in lines if not NOTES.match(line.removeprefix("Note: ").removeprefix("- ")))
    text = KEPT.sub(lambda found: f"{found[1]}KEPT: {found[2]}{found[3] or ''}", text)
    return STATES.sub(lambda table: re.sub(r"^(\| [^|]* )\| [^|]* (?=\|)", r"\1", table[0], flags=re.MULTILINE), text)


def _outcome(text: str) -> str:
    """Return the outcome of a gate without its newer keys."""
    told = json.loads(text)
    for name in ("task_drop", "keep_drop", "allow_chance", "requirements"):
        del told[name]
    for one in told["audits"].values():
        del one["task_most_frequent"]
    for one in told["kept"]:
        del one["state"], one["change"]
    return json.dumps(told, indent=2) + "\n"
