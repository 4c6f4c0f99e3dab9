"""A page's outline, and what every page has to be."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING

from audit.evidence.audit_result import AuditResult, Epoch
from support.findings import (
    TASK,
    ceiling,
    certified,
    continuous,
    leakage,
    readable,
    redecided,
    regression,
    remeasured,
    sanitized,
    sanitizing,
    where,
)

if TYPE_CHECKING:
    pass

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


def section(page: str, name: str) -> str:
    """Return the text of one section."""
    found = re.search(rf'<section [^>]*aria-labelledby="{name}-title".*?</section>', page, flags=re.S)
    assert found, f"no section {name}"
    return Outline(found[0]).text


def assert_it_stands_alone(page: str) -> None:
    """See that a page asks for nothing, runs nothing, links to its own places, and has its headings in order."""
    tags = Outline(page).tags
    assert not {"script", "link", "img", "iframe", "object", "base", "form", "input"} & {tag for tag, _ in tags}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert not re.search(r"https?:|//|url\((?!#)|@import", page)
    targets = {value for _, attributes in tags for name, value in attributes.items() if name in ("href", "src")}
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert targets <= {f"#{one}" for one in ids} and len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1 and all(later - earlier <= 1 for earlier, later in pairwise(levels))


def verdicts(page: Outline) -> list[str]:
    """Return how each verdict on the page is set."""
    kinds = [attributes.get("class") or "" for tag, attributes in page.tags if tag == "article"]
    return [kind for kind in kinds if kind.startswith("verdict")]


def everywhere(text: str) -> AuditResult:
    """Return an audit with `text` in every place a user's string can reach."""
    found = leakage(text or "colour", layer=text, classes=(text, "other"), reason=text)
    named = ceiling(0.9).model_copy(update={"source": text, "strongest": text})
    attackers = [one.model_copy(update={"name": text, "failure": text}) for one in found.measurement.attackers]
    found = remeasured(found, attackers=attackers, left_out={text: 3}, ceiling=named)
    found = certified(found.model_copy(update={"where": where().model_copy(update={"attacker": text, "note": text})}))
    number = regression(text or "height").model_copy(update={"layer": text})
    number = remeasured(
        number,
        strongest=text,
        classes=[number.measurement.classes[0].model_copy(update={"name": text})],
        ceiling=named,
        attackers=[one.model_copy(update={"name": text, "view": text}) for one in number.measurement.attackers],
    )
    private = redecided(remeasured(continuous(text or "age"), ceiling=named), reason=text)
    private = private.model_copy(update={"layer": text})
    result = sanitized(
        found, private, readable(text or "smiling"), number, command=text, device=text, warnings=[text],
        versions={text: text},
    )  # fmt: skip
    made = sanitizing().model_copy(
        update={
            "method": text, "card": None, "settings": {text: text}, "layer": text,
            "versions": {text: text}, "chosen": 0,
            "trace": [Epoch(task_loss=0.3, penalty={text: 0.2}, task_accuracy=0.9, fresh={text: 0.2})],
        }
    )  # fmt: skip
    return result.model_copy(
        update={
            "checkpoint": result.checkpoint.model_copy(
                update={
                    "file": text,
                    "architecture": text,
                    "format": text,
                    "weights_key": text or "model",
                    "sanitizing": made,
                }
            ),
            "data": result.data.model_copy(update={"name": text, "options": {text: text}, "group": text}),
            "task": TASK.model_copy(update={"name": text, "classes": [text]}),
        }
    )


def shape(page: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(attributes)) for tag, attributes in Outline(page).tags]
