"""The page: what stands on it, that it asks nobody for anything, and that it holds its shape."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_reports import audit, leakage, sanitized

from audit.evidence import AuditResult
from reports import html as pages
from reports.html import render, write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = "</script><script>alert(1)</script>\"'{{ 7 * 7 }}{% raw %} $x_1$ \u202eevil\u2066 🙂 &amp; <b onclick=x>"


class Outline(HTMLParser):
    """Every tag with its attributes, and the text between them, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\N{NO-BREAK SPACE}", " ").split())


def both() -> tuple[AuditResult, AuditResult]:
    reason = "About 9,000 test rows would settle it."
    open_ = leakage("left-handed", 0.55, "INCONCLUSIVE", classes=("no", "yes"), half=0.06, reason=reason)
    before = audit(leakage(read=0.58), leakage("left-handed", 0.66, classes=("no", "yes")))
    return before, sanitized(leakage(read=0.40), open_)


def test_every_verdict_stands_with_its_figures_limit_and_rows() -> None:
    text = Outline(render(*both())).text
    for part in (
        "FAIL colour at features.7", "A fresh attacker still reads it beyond the limit.",
        "Before 58.0 % 95 % interval 56.0–60.0", "After 40.0 % 95 % interval 38.0–42.0",
        "Task label alone (floor) 12.0 % 95 % interval 11.0–13.0 a guess: 10 %",
        "Limit on the excess: 5 points (set by default). 2,000 test rows",
        "INCONCLUSIVE left-handed at features.7", "About 9,000 test rows would settle it.",
        "did not run out of memory", "58.0 % strongest 56.0–60.0",
    ):  # fmt: skip
        assert part in text


def test_a_head_that_says_ten_percent_beside_an_attacker_at_forty_is_shown_as_a_failure() -> None:
    page = Outline(render(audit(), sanitized(leakage(read=0.40), head=0.10)))
    assert "the sanitizer's own head says 10.0 %, a fresh attacker reads 40.0 %" in page.text
    assert "Contradicted. The head says less than" in page.text
    assert ("p", {"class": "alarm"}) in page.tags


def test_an_open_verdict_is_not_set_like_a_pass() -> None:
    page = Outline(render(audit(leakage(read=0.16, verdict="INCONCLUSIVE"))))
    kinds = [attributes.get("class") for tag, attributes in page.tags if tag == "article"]
    assert kinds == ["verdict open"]
    assert "Not a pass" in page.text


def test_one_audit_alone_makes_a_page_without_a_before() -> None:
    text = Outline(render(audit())).text
    assert "Audited 40.0 %" in text
    assert "Before" not in text
    assert "Its own head is no evidence" not in text


def test_a_foreign_parent_is_told_on_the_page() -> None:
    text = Outline(render(audit(), sanitized(parent="c" * 64))).text
    assert "was not made from the one audited before" in text


def test_the_page_asks_for_nothing_and_runs_nothing() -> None:
    page = render(*both())
    tags = Outline(page).tags
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in tags}
    targets = [value for _, attributes in tags for name, value in attributes.items() if name in ("href", "src")]
    assert targets
    assert all(value is not None and value.startswith("#") for value in targets)
    assert not re.search(r"https?:|//|url\(|@import", page)
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]


def test_the_page_stays_under_a_megabyte_with_twenty_attributes() -> None:
    found = [leakage(f"attribute {index}") for index in range(20)]
    assert len(render(audit(*found)).encode()) < 1_000_000


def test_the_page_has_one_title_ordered_headings_and_no_id_twice() -> None:
    tags = Outline(render(*both())).tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    drawings = [attributes for tag, attributes in tags if tag == "svg"]
    assert drawings
    assert all(one["role"] == "img" and one["aria-label"] for one in drawings)


def test_the_same_evidence_gives_the_same_page() -> None:
    assert render(*both()) == render(*both())


def test_no_colour_is_fixed_inside_a_drawing() -> None:
    drawing = re.sub(r"var\([^)]*\)", "", "".join(re.findall(r"<svg.*?</svg>", render(*both()), flags=re.S)))
    assert not re.search(r"#[0-9a-f]{6}\b", drawing)


def everywhere(text: str) -> AuditResult:
    """Return an audit with `text` in every place a user's string can reach."""
    found = leakage(text or "colour", layer=text, classes=(text, "other"), reason=text)
    found = found.model_copy(
        update={"attackers": [one.model_copy(update={"name": text, "failure": text}) for one in found.attackers]}
    )
    result = sanitized(found, command=text, device=text, warnings=[text], versions={text: text})
    return result.model_copy(
        update={
            "checkpoint": result.checkpoint.model_copy(update={"file": text, "architecture": text}),
            "data": result.data.model_copy(update={"name": text, "options": {text: text}, "group": text}),
            "task": result.task.model_copy(update={"name": text, "classes": [text]}),
        }
    )


def shape(page: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(attributes)) for tag, attributes in Outline(page).tags]


def test_a_hostile_name_comes_out_as_text() -> None:
    page = render(everywhere(HOSTILE))
    assert shape(page) == shape(render(everywhere("plain")))
    assert HOSTILE in Outline(page).words


@given(st.text(min_size=1, max_size=60))
@settings(max_examples=8, deadline=None)
def test_no_name_changes_the_shape_of_the_page(name: str) -> None:
    assert shape(render(everywhere(name))) == shape(render(everywhere("plain")))


def test_a_failed_write_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_report(path, audit())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_needs_no_torch() -> None:
    code = "import sys, reports.html, reports.commands; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(pages.__file__).parents[1])


def test_the_command_imports_nothing_slow() -> None:
    slow = "{'pydantic', 'matplotlib', 'jinja2', 'torch'}"
    code = f"import sys, reports.commands; assert not {slow} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(pages.__file__).parents[1])


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


def opened(browser: "Browser", path: Path, width: int) -> tuple["Page", list[str]]:
    context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=False, offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    return page, asked


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["plain", HOSTILE, "W" * 10_000])
def test_a_browser_shows_the_page_without_scrolling_sideways(
    browser: "Browser", tmp_path: Path, width: int, name: str
) -> None:
    path = tmp_path / "report.html"
    write_report(path, everywhere(name))
    page, asked = opened(browser, path, width)
    assert asked == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cells = page.evaluate("[...document.querySelectorAll('tbody td')].map(one => one.clientWidth)")
    assert min(cells) >= (120 if width == 360 else 40), "a column too narrow to read"
    assert page.locator("svg:visible").count() == 2
    page.context.close()


def test_the_page_prints(browser: "Browser", tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, *both())
    page, _ = opened(browser, path, 1280)
    printed = page.pdf(prefer_css_page_size=True)
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 12
    page.context.close()
