"""Each promise of docs/security.md names tests that there are."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = (HERE.parent / "docs" / "security.md").read_text(encoding="utf-8")
PROMISES = re.findall(
    r"(?ms)^- \*\*.*?(?=^- \*\*|^#|\Z)", PAGE.partition("## What runs")[2].partition("## What is not")[0]
)
"""Each bullet between the threat model and what is not held."""


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one[4:30])
def test_a_promise_names_tests_that_there_are(promise: str) -> None:
    files = re.findall(r"\btest_\w+\.py", promise)
    names = set(re.findall(r"\btest_\w+(?!\w|\.py)", promise))
    sources = {path.name: path.read_text(encoding="utf-8") for path in HERE.rglob("test_*.py")}
    assert files or "gate.md" in promise
    assert set(files) <= sources.keys()
    text = "\n".join(sources[name] for name in files)
    assert not [name for name in names if f"def {name}(" not in text]


def test_the_page_has_promises_for_every_part() -> None:
    assert len(PROMISES) >= 15
