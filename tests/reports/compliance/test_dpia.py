"""The annex to an impact assessment: what the evidence knows, empty fields for the rest, and hostile names as text."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from support.claims import CLAIMS
from support.evidences import FRAGMENTS, HOSTILE, KINDS, around_word, everything, hostile, largest, reworded
from support.findings import audit, certified, leakage, rich, sanitized, task_less
from support.outline import Outline, assert_it_stands_alone, shape

from audit.errors import EvidenceError, visible
from audit.evidence.audit_result import AuditResult
from reports.compliance.assessment import assessment
from reports.compliance.dpia import render_html, render_markdown, write_dpia
from reports.compliance.mapping import own
from reports.compliance.part import Part
from reports.inputs.comparison import compare
from reports.render.markdown import JOINER, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PLAIN = [kind for kind in KINDS if kind != "hostile"]
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def read(markdown: str) -> list[Token]:
    """Return every token that a reader of Markdown finds, those inside lines too."""
    return [inner for token in MARKDOWN.parse(markdown) for inner in (token, *(token.children or []))]


def shown(markdown: str) -> str:
    """Return the words that a reader of Markdown shows."""
    return " ".join("".join(f"{token.content}\n" for token in read(markdown) if token.type == "text").split())


def structure(markdown: str) -> list[tuple[str, str]]:
    return [(token.type, token.tag) for token in read(markdown) if token.type != "text"]


def both() -> tuple[AuditResult, AuditResult]:
    return everything(), everything(after=True)


def sections(before: AuditResult, after: AuditResult | None = None) -> tuple[Part, ...]:
    return tuple(assessment(compare(before, after)).sections.values())


def words(before: AuditResult, after: AuditResult | None = None) -> dict[str, str]:
    """Return what each of the two files says, as its reader sees it."""
    return {
        "HTML": Outline(render_html(before, after)).text,
        "Markdown": shown(render_markdown(before, after)),
    }


def test_the_parts_stand_in_the_order_of_the_regulation_in_both_files() -> None:
    order = ["Art. 35(7)(a)", "Art. 35(7)(b)", "Art. 35(7)(c)", "Art. 35(7)(d)", "Art. 35(2), (8), (9) and (11)"]
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", render_html(*both()))
    headings = re.findall(r"^## (.*)$", render_markdown(*both()), flags=re.M)
    assert [part for title in titles for part in order if f">{part}<" in title] == order
    assert [part for heading in headings for part in order if heading.endswith(f", {part} GDPR")] == order
    assert len(titles) == len(headings) == len(sections(*both())) == 9


@pytest.mark.parametrize("kind", ["HTML", "Markdown"])
def test_what_the_evidence_knows_is_filled_in(kind: str) -> None:
    said = words(*both())[kind]
    for part in (
        "model.pt", "b" * 64, "a" * 64, "d" * 64, "biased_mnist", "2,000 test rows", "digit: 0, 1, 2",
        "colour (10 classes), left-handed (2 classes), age (a number)", "smiling (2 classes), height (a number)",
        "features.7, features.9", "source image", "minimises the mutual information", "alpha 0.5, seed 0", "e" * 64,
    ):  # fmt: skip
        assert part in said, part


def cells(markdown: str, caption: str) -> list[list[str]]:
    """Return the cells of the table of Markdown under a caption, its head first."""
    table = markdown.partition(f"**{caption}**\n\n")[2].partition("\n\n")[0].splitlines()
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in table if not line.startswith("|-")]


def test_a_risk_stands_with_its_interval_floor_limit_rows_and_verdict() -> None:
    head, colour, *_, age = cells(render_markdown(*both()), "What can be inferred, before")
    assert [one.strip() for one in head] == ["Attribute and layer", "Read", "Floor", "Excess", "Test rows", "Verdict"]
    assert [one.strip() for one in colour] == [
        "colour (at features.7)", "58.0 % (56.0–60.0)", "12.0 % (11.0–13.0; a guess 10 %)",
        "46.0 points (43.7 to 48.3; limit 5 points)", "2,000", "FAIL",
    ]  # fmt: skip
    assert age[1].strip() == "R² 0.430 (0.410–0.450)"


def test_what_a_measure_changed_stands_beside_what_is_left() -> None:
    before, after = (one.model_copy(update={"findings": [first, certified(second, most), *rest]})
                     for one, most in zip(both(), (0.5, 0.2), strict=True)
                     for first, second, _, *rest in [one.findings])  # fmt: skip
    _, *rows = cells(render_markdown(before, after), "What can be inferred, before and after")
    assert [[one.strip() for one in row][:4] for row in rows][:2] == [
        ["colour (at features.7)", "58.0 % (56.0–60.0)", "40.0 % (38.0–42.0)", "−18.0 points (−20.7 to −15.2)"],
        ["colour (at features.9)", "44.0 % (42.0–46.0; bound 50.0 %)", "13.0 % (11.0–15.0; bound 20.0 %)",
         "−31.0 points (−33.8 to −28.1)"],
    ]  # fmt: skip
    assert [row[-1].strip() for row in rows] == ["FAIL", "PASS", "FAIL"]


def test_a_task_and_what_was_kept_stand_with_their_change_and_with_knowing_nothing() -> None:
    head, task, smiling, height = cells(
        render_markdown(*both()), "What the model is for, and what should stay readable"
    )
    assert [one.strip() for one in head] == ["Task or attribute", "Before", "After", "Change", "Knowing nothing"]
    assert task[-1].strip() == "11.4 % (the most frequent class)"
    assert smiling[3].strip() == "−2.0 points (−4.7 to +0.9)"
    assert height[-1].strip() == "0 (answering the mean)"


def test_likelihood_and_severity_are_left_to_people_for_every_attribute() -> None:
    markdown = render_markdown(*both())
    for caption in ("Likelihood and severity, by your own scale", "Residual risk"):
        head, *rows = cells(markdown, caption)
        assert {"Likelihood", "Severity"} <= {one.strip() for one in head}
        assert [row[0].strip() for row in rows] == ["colour", "left-handed", "age"]
        assert {one.strip() for row in rows for one in row[1:]} == {""}


def test_two_attributes_that_are_shortened_alike_keep_a_line_each() -> None:
    long = [f"{'W' * 60}{index}{'W' * 60}" for index in range(2)]
    _, *rows = cells(render_markdown(audit(*(leakage(name) for name in long))), "Residual risk")
    assert len(rows) == 2


@pytest.mark.parametrize("kind", PLAIN)
def test_every_field_is_empty_in_both_files(kind: str) -> None:
    before, after = KINDS[kind]()
    asked = [question.label for one in sections(before, after) for question in one.fields]
    assert len(asked) > 20
    page, markdown = render_html(before, after), render_markdown(before, after)
    boxes = re.findall(r'<div><dt>([^<]+) <small>.*?</small></dt><dd>\s*<textarea class="blank"[^>]*></textarea>', page)
    assert boxes == asked
    lines = re.findall(r"^\| ([^|]*) \|  \|$", markdown, flags=re.M)
    assert lines == asked
    blanks = sum(len(form.names) * len(form.asked) for one in sections(before, after) for form in one.forms)
    assert page.count('<textarea class="blank"') == blanks + len(asked)


def test_people_sign_at_the_end() -> None:
    head, *rows = cells(render_markdown(audit()), "Signatures")
    assert [one.strip() for one in head] == ["Who", "Name and office", "Date", "Signature"]
    assert [row[0].strip() for row in rows] == ["Prepared by", "Data protection officer", "For the controller"]


@pytest.mark.parametrize("kind", PLAIN)
def test_nothing_is_said_to_meet_a_law(kind: str) -> None:
    for said in words(*KINDS[kind]()).values():
        assert CLAIMS.findall(said) == []
        assert "This is no assessment" in said


@pytest.mark.parametrize("kind", ["HTML", "Markdown"])
def test_the_mapping_is_in_it_with_its_date_and_every_provision(kind: str) -> None:
    said = words(*both())[kind]
    assert f"as they were read on {own().date.isoformat()}" in said
    for entry in own().entries:
        assert f"{own().instruments[entry.instrument].short} {entry.article}" in said
        assert entry.about in said
    for one in own().instruments.values():
        assert one.number in said and one.status in said


def test_a_provision_stands_with_what_supports_it_and_what_is_missing() -> None:
    rows = cells(render_markdown(audit()), "Provisions and the evidence for them")
    (minimisation,) = (row for row in rows if "5(1)(c)" in row[0])
    assert minimisation[-1].strip() == "Leakage, floor, task (missing here: before and after, bound)"


def test_what_is_not_there_is_named_with_its_reason_and_not_told() -> None:
    for said in words(audit()).values():
        for part in (
            "Sanitizing: the checkpoint carries no record of a sanitizer.", "Before and after: one checkpoint was",
            "Bound: no audited layer gives so few distinct vectors", "Kept attributes: no attribute was named",
        ):  # fmt: skip
            assert part in said, part
        assert not re.search(r"\bbound \d|best table|before and after \|", said)
        assert "The measure on the model" not in said and "What can be inferred, before" not in said


def test_a_bound_that_excludes_nothing_is_not_told_as_one() -> None:
    vacuous = audit(certified(leakage(), most=1, bits=3.4))
    assert "bound 100" not in render_markdown(vacuous)
    assert "bound 61.0 %" in render_markdown(audit(certified(leakage())))


def test_without_a_task_a_guess_stands_in_the_floor() -> None:
    said = words(task_less())["Markdown"]
    assert "10 % (a guess: no task)" in said and "0 (answering the mean: no task)" in said
    assert "Task: no task was named." in said


def test_warnings_stand_beside_the_risks() -> None:
    for said in words(audit(), sanitized(parent="c" * 64)).values():
        assert "was not made from the one audited before" in said
        assert "One attacker did not run." in said


def test_both_files_are_written_beside_the_report(tmp_path: Path) -> None:
    report = tmp_path / "out" / "report.v2.html"
    markdown, html = write_dpia(report, *both())
    assert [markdown.name, html.name] == ["report.v2.dpia.md", "report.v2.dpia.html"]
    assert sorted(report.parent.iterdir()) == sorted([markdown, html])
    told, seal = markdown.read_text(encoding="utf-8").split("\n<!-- As irene wrote it, SHA-256 ")
    assert told == render_markdown(*both())
    assert seal == f"{hashlib.sha256(told.encode()).hexdigest()} -->\n"
    assert html.read_text(encoding="utf-8") == render_html(*both())


def test_unlike_audits_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError):
        write_dpia(tmp_path / "report.html", audit(), rich(after=True))
    assert list(tmp_path.iterdir()) == []


def test_where_one_file_cannot_be_written_the_other_is_left_as_it_was(tmp_path: Path) -> None:
    write_dpia(tmp_path / "report.html", *both())
    (tmp_path / "report.dpia.html").unlink()
    (tmp_path / "report.dpia.html").mkdir()
    old = (tmp_path / "report.dpia.md").read_bytes()
    with pytest.raises(Exception, match="it is a folder"):
        write_dpia(tmp_path / "report.html", audit())
    assert (tmp_path / "report.dpia.md").read_bytes() == old


def test_the_same_evidence_gives_the_same_annex() -> None:
    assert render_html(*both()) == render_html(*both())
    assert render_markdown(*both()) == render_markdown(*both())


def test_the_largest_annex_stays_under_a_megabyte() -> None:
    assert len(render_html(*largest()).encode()) < 1_000_000


def test_the_page_asks_for_nothing_and_runs_nothing() -> None:
    assert_it_stands_alone(render_html(*both()))


def test_hostile_names_come_out_as_text_in_both_files() -> None:
    before, after = hostile()
    assert shape(render_html(before, after)) == shape(render_html(*both()))
    assert structure(render_markdown(before, after)) == structure(render_markdown(*both()))
    for said in words(before, after).values():
        assert "</script><script>alert(1)</script>" in said


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_no_fragment_of_an_attack_changes_a_table_of_markdown(fragment: str) -> None:
    changed = render_markdown(reworded(audit(), around_word(FRAGMENTS[fragment])))
    assert structure(changed) == structure(render_markdown(audit()))
    widths = [[len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()]
              for block in re.split(r"\n\n", changed) if block.startswith("|")]  # fmt: skip
    assert len(widths) > 5
    assert all(len(set(width)) == 1 for width in widths)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066\u2067\ud800-\udfff]", changed)


CONTEXTS: dict[str, Callable[[str], str]] = {
    "a paragraph": lambda word: f"{word}\n",
    "a line after a paragraph": lambda word: f"before\n{word}\n",
    "a list": lambda word: f"- {word}\n",
    "a heading": lambda word: f"## {word}\n",
    "bold": lambda word: f"**a{word}b**\n",
    "a cell": lambda word: f"| a | b |\n|---|---|\n| {word} | {word} |\n",
}


@pytest.mark.parametrize("context", CONTEXTS)
@given(
    st.one_of(st.text(), st.text(alphabet="\\`*_[](){}<>#+-.!|~&$=:@/ \n\t1a"), st.sampled_from([*FRAGMENTS.values()]))
)
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_as_the_words_that_it_is(context: str, value: str) -> None:
    place = CONTEXTS[context]
    assert structure(place(text(value))) == structure(place("word" if text(value) else ""))
    if context == "a paragraph" and not {"\u2068", "\u2069"} & set(value):
        seen = "".join(token.content for token in read(text(value)) if token.type == "text").replace(JOINER, "")
        assert seen == " ".join(visible(value).split())


@pytest.mark.parametrize(
    "call",
    ["@everyone", "a@b.example", "see #1", "GH-2", "owner/name@0123456", "https://example.org", "www.example.org",
     "ftp://example.org", ":+1:", "x:smile:"],
)  # fmt: skip
def test_nobody_is_called_and_nothing_is_linked(call: str) -> None:
    escaped = text(call)
    assert JOINER in escaped
    assert shown(escaped).replace(JOINER, "") == call
    assert not re.search(r"@\w|#\d|GH-\d|://|www\.|:[+\w]+:", escaped)


@pytest.mark.parametrize(
    "figure", ["40.0 % (38.0–42.0)", "−18.0 points (−20.8 to −15.2)", "2026-07-04T09:30:00Z", "1,999"]
)
def test_a_figure_stands_in_markdown_as_it_is(figure: str) -> None:
    assert text(figure) == figure


def test_a_name_that_runs_to_the_left_stays_isolated_and_an_open_isolate_is_spelled_out() -> None:
    isolated = "\u2068שלום\u2069 at features.7"
    assert text(isolated) == isolated
    assert text("\u2068open at features.7") == r"\\u2068open at features.7"
    assert text(f"{isolated}\u202e") == rf"{isolated}\\u202e"


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["plain", HOSTILE, "W" * 10_000])
def test_a_browser_shows_the_annex_without_scrolling_sideways(
    browser: "Browser", tmp_path: Path, width: int, name: str
) -> None:
    before, after = (reworded(one, around_word(name)) for one in both())
    _, path = write_dpia(tmp_path / "report.html", before, after)
    context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=False, offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = page.evaluate("[...document.querySelectorAll('.blank')].map(one => [one.clientWidth, one.clientHeight])")
    assert len(boxes) > 30
    assert min(wide for wide, _ in boxes) >= 60 and min(high for _, high in boxes) >= 30, "a box too small to fill in"
    context.close()


def test_the_annex_prints_with_the_signatures_on_one_page(browser: "Browser", tmp_path: Path) -> None:
    _, path = write_dpia(tmp_path / "report.html", *both())
    page = browser.new_page()
    page.goto(path.as_uri())
    printed = page.pdf(prefer_css_page_size=True)
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 12
    page.close()
