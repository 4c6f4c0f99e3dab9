"""Whatever stands in a string of the evidence, in whichever field, comes out as text in every document made of it.

Each document is made twice, with hostile words and with plain ones in the place of every string, and is read as its
readers read it: the two must have the same parts in the same order.
"""

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import BaseModel
from support.evidences import FRAGMENTS, HOSTILE, Pair, around_word, everything, reworded

from audit.evidence.audit_result import AuditResult, read_audit, write_audit
from audit.evidence.json_file import digest, read_json
from audit.evidence.notebook import card
from reports.audit_page.render import render
from reports.compliance.dpia import render_html, render_markdown
from reports.gate.gate import gate
from reports.gate.json import outcome_json
from reports.gate.junit import junit
from reports.gate.markdown_summary import markdown
from reports.models_page.page import render_models
from reports.text.sentences import sentences

PLAIN = "plain"
Word = Callable[[str], str]
Part = tuple[Any, ...]
"""One part of a document: what it is, and what of it no name may change."""
SHOWN = """</p><b>"'&amp;{{7}}{%raw%}|`*_~[x](y)\\🙂"""
"""What a reader must be able to see, character by character; short, so that no name is cut."""


class Tags(HTMLParser):
    """The tags of a page with all of their attributes, and the words between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", {}))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", {}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


FIXED = {"class", "style", "id", "href", "role", "type", "name", "http-equiv"}
"""Attributes whose values must not depend on a name; others hold words for a reader, or where a word is drawn."""


def parts_of_html(page: str) -> list[Part]:
    return [
        (tag, *((name, value if name in FIXED else None) for name, value in attributes.items()))
        for tag, attributes in Tags(page).tags
    ]


def words_of_html(page: str) -> str:
    tags = Tags(page)
    return " ".join([*tags.words, *(value or "" for _, given in tags.tags for value in given.values())])


def tokens(page: str) -> Iterable[Token]:
    """Read Markdown in GitHub's dialect."""
    for block in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page):
        yield block
        yield from block.children or []


def parts_of_markdown(page: str) -> list[Part]:
    """Return blocks and spans; neighbouring texts are one, and HTML and code must be the same to the letter."""
    parts: list[Part] = []
    for token in tokens(page):
        if token.type == "text":
            parts += [("text",)] if not parts or parts[-1] != ("text",) else []
        elif token.type != "inline":
            fixed = token.content if token.type in ("html_inline", "html_block", "fence", "code_block") else ""
            parts.append((token.type, token.tag, token.level, tuple(sorted(token.attrs.items())), fixed))
    return parts


def words_of_markdown(page: str) -> str:
    """Return the texts alone, without the joiners that part a call from who is called."""
    return "".join(token.content for token in tokens(page) if token.type in ("text", "code_inline")).replace(
        "\u2060", ""
    )


def parts_of_xml(page: bytes) -> list[Part]:
    """Return elements and what they carry; a time is there only if the evidence holds one."""
    return [(one.tag, *sorted(one.attrib.keys() - {"timestamp"})) for one in ET.fromstring(page).iter()]


def words_of_xml(page: bytes) -> str:
    return " ".join(text for one in ET.fromstring(page).iter() for text in (*one.attrib.values(), one.text or ""))


def parts_of_json(page: str) -> list[Part]:
    return list(_parts_of_value(json.loads(page)))


def _parts_of_value(value: object) -> Iterable[Part]:
    match value:
        case dict():
            yield "object", len(value)
            for one in value.values():
                yield from _parts_of_value(one)
        case list():
            yield "list", len(value)
            for one in value:
                yield from _parts_of_value(one)
        case str():
            yield ("string",)
        case _:
            yield "value", value


def words_of_json(page: str) -> str:
    return json.dumps(json.loads(page), ensure_ascii=False).replace(r"\"", '"').replace(r"\\", "\\")


def parts_of_lines(page: str) -> list[Part]:
    """Return one part a line; a line holds nothing that moves a terminal's cursor or turns its words round."""
    return [
        ("line", [mark for mark in line if unicodedata.category(mark) in {"Cc", "Cf", "Cs", "Zl", "Zp"}])
        for line in page.split("\n")
    ]


@dataclass(frozen=True)
class Document:
    """A document that is made from evidence, and how its readers take it apart."""

    make: Callable[[AuditResult, AuditResult], Any]
    parts: Callable[[Any], list[Part]]
    words: Callable[[Any], str]


DOCUMENTS = {
    "page": Document(render, parts_of_html, words_of_html),
    "page of models": Document(
        lambda before, after: render_models({before.device: before, after.command: after}), parts_of_html, words_of_html
    ),
    "notebook": Document(lambda _, after: card(after), parts_of_html, words_of_html),
    "annex": Document(render_html, parts_of_html, words_of_html),
    "annex in Markdown": Document(render_markdown, parts_of_markdown, words_of_markdown),
    "summary": Document(
        lambda before, after: markdown(gate(after, before), Path(f"{before.device}.html".replace("\x00", ""))),
        parts_of_markdown,
        words_of_markdown,
    ),
    "JUnit": Document(lambda before, after: junit(gate(after, before)), parts_of_xml, words_of_xml),
    "JSON": Document(lambda before, after: outcome_json(gate(after, before), {}), parts_of_json, words_of_json),
    "terminal": Document(lambda before, after: "\n".join(sentences(before, after)), parts_of_lines, str),
}


@cache
def audits() -> Pair:
    return everything(), everything(after=True)


def made(name: str, word: Word) -> Any:
    before, after = audits()
    assert after is not None
    return DOCUMENTS[name].make(reworded(before, word), reworded(after, word))


@cache
def plain_parts(name: str) -> list[Part]:
    return DOCUMENTS[name].parts(made(name, around_word(PLAIN)))


def words() -> st.SearchStrategy[str]:
    """Draw what a name may hold: fragments joined at random, or any characters at all, NUL and surrogates too."""
    fragments = sorted(text for text in FRAGMENTS.values() if text)
    several = st.lists(st.sampled_from(fragments), min_size=1, max_size=4).map("".join)
    return st.one_of(several, st.text(st.characters(), min_size=1, max_size=40))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_word_changes_the_shape_of_a_document(name: str) -> None:
    @given(words())
    @example(HOSTILE)
    @example(FRAGMENTS["long"])
    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def keeps_its_shape(text: str) -> None:
        assert DOCUMENTS[name].parts(made(name, around_word(text))) == plain_parts(name)

    keeps_its_shape()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_reader_sees_a_word_as_it_was_written(name: str) -> None:
    seen = DOCUMENTS[name].words(made(name, around_word(SHOWN)))
    assert seen.count(SHOWN) >= 2


@pytest.mark.parametrize("name", ["page", "page of models", "notebook", "annex"])
def test_a_page_of_hostile_words_runs_nothing_and_leads_nowhere(name: str) -> None:
    for tag, attributes in Tags(made(name, around_word(HOSTILE))).tags:
        assert tag not in ("script", "iframe", "object", "embed", "img", "image", "base", "link", "form", "comment")
        assert not [one for one in attributes if one.startswith("on") or one in ("src", "srcset", "action", "srcdoc")]
        assert all((attributes.get(one) or "#").startswith("#") for one in ("href", "xlink:href"))
        assert "url(" not in (attributes.get("style") or "")


@pytest.mark.parametrize("name", ["summary", "annex in Markdown"])
def test_a_comment_of_hostile_words_calls_nobody_and_links_nowhere(name: str) -> None:
    page = made(name, around_word(HOSTILE))
    own = made(name, around_word(PLAIN))
    for call in (r"(?<!\w)@\w", r"(?<!\w)#\d", r"\bGH-\d", r"\w@[0-9a-f]{7}", r"https?://", r"\bwww\."):
        assert len(re.findall(call, page)) == len(re.findall(call, own)), call


@given(words())
@example(HOSTILE)
@settings(max_examples=10, deadline=None)
def test_evidence_is_read_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("evidence") / "after.json"
    after = AuditResult.model_validate(reworded(everything(after=True), around_word(text)).model_dump())
    meant = json.dumps(after.model_dump(mode="json"), ensure_ascii=False).encode(errors="replace")  # half a character
    write_audit(after, path)
    content = path.read_bytes()
    found = read_audit(path)
    assert {**found.model_dump(mode="json"), "digest": None} == {**json.loads(meant), "digest": None}
    assert found.digest == digest(read_json(path, "evidence"))
    write_audit(found, path)
    assert path.read_bytes() == content


def test_every_string_of_the_evidence_is_reworded_but_those_of_a_closed_set() -> None:
    _, after = audits()
    told = list(strings(reworded(after, around_word(PLAIN)))) if after else []
    assert {field for field, text in told if PLAIN not in text} == {
        "schema_version", "verdict", "limit_set_by", "release", "role", "metric", "mark", "light", "dark",
        "figures", "floor", "baseline", "kind", "draws",
    }  # fmt: skip
    assert {"file", "attribute", "layer", "name", "reason", "command", "options", "warnings"} <= {
        field for field, _ in told
    }


def strings(value: object, field: str = "") -> Iterable[tuple[str, str]]:
    """Yield every string with the field that it stands in, keys of mappings too."""
    match value:
        case BaseModel():
            for name in type(value).model_fields:
                yield from strings(getattr(value, name), name)
        case dict():
            for key, one in value.items():
                yield from strings(key, field)
                yield from strings(one, field)
        case list():
            for one in value:
                yield from strings(one, field)
        case str():
            yield field, value
