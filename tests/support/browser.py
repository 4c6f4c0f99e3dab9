"""A page opened in a browser, and what is wrong with how it looks."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from support.machine import lacking

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]
LEAST_CONTRAST = 4.5
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS = (Path(__file__).parent / "looks.js").read_text(encoding="utf-8")


@dataclass
class Heard:
    """What a page asked for and complained of."""

    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


NARROW, WIDE = 360, 1280
UNFOLD = "document.querySelectorAll('details').forEach(one => one.open = true)"


@contextmanager
def opened(
    browser: "Browser",
    path: Path,
    *,
    width: int = WIDE,
    scheme: Scheme = "light",
    javascript: bool = False,
    is_unfolded: bool = True,
) -> Iterator[tuple["Page", Heard]]:
    """Open a file as a reader without a network does, with every folded part, and listen from the first byte."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=javascript, offline=True
    )
    heard, page = Heard(), context.new_page()
    page.on("request", lambda request: heard.asked.append(request.url))
    page.on("requestfailed", lambda request: heard.complaints.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: heard.complaints.append(str(error)))
    page.on("console", lambda message: heard.complaints.append(f"{message.type}: {message.text}"))
    page.goto(path.as_uri())
    if is_unfolded:
        page.evaluate(UNFOLD)
    yield page, heard
    context.close()


def sticking_out(page: "Page", *, may_roll: bool = True, margin: int = 0) -> list[str]:
    """Return what stands beyond the page's sides, or within `margin` CSS pixels of them."""
    asked = {"mayRoll": may_roll, "margin": margin}
    found: list[str] = page.evaluate(f"asked => {LOOKS}.stickingOut(asked)", asked)
    return found


def contrasts(page: "Page") -> list[tuple[str, float]]:
    """Return every text by its element, with its contrast to what is painted behind it."""
    size = page.evaluate("[innerWidth, document.scrollingElement.scrollHeight]")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    return [(name, ratio) for name, ratio in page.evaluate(f"{LOOKS}.contrasts()")]


def cut(page: "Page") -> tuple[int, list[str]]:
    """Return how many drawings and verdicts a print has, and which of them begin on one page and end on another."""
    marked: list[str] = page.evaluate(f"{LOOKS}.mark()")
    printed = page.pdf(prefer_css_page_size=True)
    objects = dict(re.findall(rb"(?s)(\d+) 0 obj\s(.*?)\sendobj", printed))
    where: dict[tuple[int, str], int] = {}
    for number, content in enumerate(one for one in objects.values() if re.search(rb"/Type\s*/Page\b", one)):
        links = re.search(rb"/Annots \[([^\]]*)\]", content)
        for link in re.findall(rb"(\d+) 0 R", links[1] if links else b""):
            if found := re.search(rb"https://mark\.invalid/(\d+)/(\w+)", objects[link]):
                where[int(found[1]), found[2].decode()] = number
    assert len(where) == 2 * len(marked), "a mark is not in the PDF"
    return len(marked), [name for one, name in enumerate(marked) if where[one, "top"] != where[one, "foot"]]


def violations(page: "Page", rules: list[str], *, but: str = "") -> list[str]:
    """Return what axe-core finds against rules or standards, `but` for one rule, each with the first places where."""
    if find_spec("axe_playwright_python") is None:
        lacking("browser", "axe-core is not installed")
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    options = {"resultTypes": ["violations"], "runOnly": rules, "rules": {but: {"enabled": False}} if but else {}}
    found: list[dict[str, Any]] = page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes'][:3]]}" for one in found]
