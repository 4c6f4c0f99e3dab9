"""What only a browser can judge: every kind of page, offline, without JavaScript, on screens wide, narrow and dark."""

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from support.evidences import KINDS
from support.sweeps import typical

from audit.errors import IreneError
from audit.evidence.audit_result import AuditResult, read_audit
from audit.evidence.sweep_result import read_sweep
from reports.audit_page.render import render
from reports.compliance.dpia import render_html
from reports.models_page.page import render_models
from reports.render.template import write_page
from reports.sweep_page.page import render_sweep

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

if TYPE_CHECKING:
    from playwright.sync_api import Browser

from support.browser import (
    LEAST_CONTRAST,
    LOOKS,
    NARROW,
    STANDARDS,
    WIDE,
    Heard,
    Scheme,
    contrasts,
    cut,
    opened,
    sticking_out,
    violations,
)

PAPER, MARGIN = 794, 56
"""CSS pixels: a telephone, a desktop, A4, and a little less than its margins in the print stylesheet."""
MOST_WORDS, MOST_SHEETS, VERDICT_ABOVE = 1500, 5, 400
"""Of what is not folded: words, sheets of A4, and CSS pixels from the top of a telephone to the verdict."""
PAIRED_WORDS = 250
"""That an audit before adds: every figure has one before, and a change."""
MOST_BYTES = 1_200_000
FORMS = ("kept", "sanitized", "pair", "classes", "quantity", "intersection", "embeddings", "models", "sweep")
ANSWER = ".verdict, #verdict li"
"""Of several models it is a list."""
GOLDEN = Path(__file__).parents[2] / "golden"
CONTRAST = "color-contrast"
"""The rule of axe-core that takes minutes on a page of a quarter of a million pixels."""


def models(before: AuditResult, after: AuditResult | None) -> str:
    return render_models({"before.json": before, "after.json": after or before})


def sweep() -> str:
    return render_sweep(typical())


def of(render: Callable[[AuditResult, AuditResult | None], str], kind: str) -> Callable[[], str]:
    return lambda: render(*KINDS[kind]())


PAGES = {
    **{kind: of(render, kind) for kind in KINDS},
    "annex": of(render_html, "before and after"),
    "annex, hostile": of(render_html, "hostile"),
    "models": of(models, "before and after"),
    "models, hostile": of(models, "hostile"),
    "sweep": sweep,
}
HOSTILE = [kind for kind in PAGES if "hostile" in kind]
FRIENDLY = [kind for kind in PAGES if kind not in HOSTILE]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One page of every kind."""
    folder = tmp_path_factory.mktemp("shelf")
    pages = {kind: folder / f"{number}.html" for number, kind in enumerate(PAGES)}
    for kind, path in pages.items():
        write_page(path, PAGES[kind]())
    return pages


def broken(folder: Path, style: str, body: str) -> Path:
    """Write a page that breaks a rule, to see that its check sees it."""
    path = folder / "broken.html"
    head = f'<meta charset="utf-8"><title>Broken</title><style>body {{ margin: 0 }} {style}</style>'
    path.write_text(f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>', encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_asks_nobody_for_anything_and_complains_of_nothing(
    browser: "Browser", shelf: dict[str, Path], kind: str
) -> None:
    with opened(browser, shelf[kind]) as (page, heard):
        page.wait_for_load_state("networkidle")
        assert heard == Heard(asked=[shelf[kind].as_uri()])


def test_a_request_and_an_error_would_be_heard(browser: "Browser", tmp_path: Path) -> None:
    with opened(browser, broken(tmp_path, "", '<img alt="" src="https://example.invalid/x.png">')) as (page, heard):
        page.wait_for_load_state("networkidle")
        assert heard.asked[1:] == ["https://example.invalid/x.png"]
        assert heard.complaints


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("kind", PAGES)
def test_nothing_sticks_out_of_the_screen(browser: "Browser", shelf: dict[str, Path], kind: str, width: int) -> None:
    with opened(browser, shelf[kind], width=width) as (page, _):
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert sticking_out(page) == []


def test_what_sticks_out_would_be_seen(browser: "Browser", tmp_path: Path) -> None:
    body = '<div class="table"><p class="in">W</p></div><p class="out">W</p><p class="long">WWWWWWWWW</p>'
    style = ".table { overflow-x: auto } .in, .out { width: 500px } .long { width: 20px; font-size: 90px }"
    with opened(browser, broken(tmp_path, style, body), width=NARROW) as (page, _):
        assert sticking_out(page) == ["p.out", "p.long: WWWWWWWWW"]


@pytest.mark.parametrize("kind", [*FRIENDLY, "hostile"])
def test_axe_finds_no_violation_in_light_and_in_dark(browser: "Browser", shelf: dict[str, Path], kind: str) -> None:
    with opened(browser, shelf[kind], javascript=True) as (page, _):
        assert violations(page, STANDARDS, but=CONTRAST if kind == "largest" else "") == []
        page.emulate_media(color_scheme="dark")
        assert kind == "largest" or violations(page, [CONTRAST]) == []


def test_axe_finds_no_violation_on_a_telephone(browser: "Browser", shelf: dict[str, Path]) -> None:
    with opened(browser, shelf["before and after"], width=NARROW, javascript=True) as (page, _):
        assert violations(page, STANDARDS, but=CONTRAST) == []


def test_axe_would_find_one(browser: "Browser", tmp_path: Path) -> None:
    path = broken(tmp_path, "", '<main><h1>x</h1><img src="data:,"></main>')
    with opened(browser, path, javascript=True) as (page, _):
        assert [one.partition(":")[0] for one in violations(page, STANDARDS)] == ["image-alt"]


@pytest.mark.parametrize(("width", "scheme"), [(NARROW, "dark"), (WIDE, "light")])
def test_every_text_stands_out_from_what_is_painted_behind_it(
    browser: "Browser", shelf: dict[str, Path], width: int, scheme: Scheme
) -> None:
    with opened(browser, shelf["before and after"], width=width, scheme=scheme) as (page, _):
        found = contrasts(page)
        assert len(found) > 300
        assert [one for one in found if one[1] < LEAST_CONTRAST] == []


def test_pale_text_would_be_seen_in_a_drawing_too(browser: "Browser", tmp_path: Path) -> None:
    shapes = '<rect width="90" height="30" fill="#000" fill-opacity=".6"/><text y="20">text</text>'
    path = broken(tmp_path, "p { color: #888 }", f'<p>pale</p><svg width="90" height="30">{shapes}</svg>')
    with opened(browser, path) as (page, _):
        assert [(name, round(ratio, 1)) for name, ratio in contrasts(page)] == [("p", 3.5), ("svg > text", 3.7)]


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_name_turns_no_other_word_round(browser: "Browser", shelf: dict[str, Path], kind: str) -> None:
    with opened(browser, shelf[kind]) as (page, _):
        assert page.evaluate(f"{LOOKS}.entangled()") == []


def test_a_word_that_is_turned_round_would_be_seen(browser: "Browser", tmp_path: Path) -> None:
    body = '<p class="bad">a\u202eb <b>90 %</b></p><p><bdi>a\u202eb</bdi> 90 %</p><p>a\u202eb</p>'
    with opened(browser, broken(tmp_path, "", body)) as (page, _):
        assert page.evaluate(f"{LOOKS}.entangled()") == ["p.bad"]


@pytest.mark.parametrize("kind", PAGES)
def test_a_print_cuts_no_drawing_and_no_verdict(browser: "Browser", shelf: dict[str, Path], kind: str) -> None:
    with opened(browser, shelf[kind]) as (page, _):
        page.emulate_media(media="print")
        marked, in_two = cut(page)
        assert marked >= 2 or kind.startswith("annex")
        assert in_two == []
        page.set_viewport_size({"width": PAPER, "height": 900})
        assert sticking_out(page, may_roll=False, margin=MARGIN) == []


def golden(form: str) -> str:
    """Return the page of a form from the stored evidence of real, small audits."""
    if form == "sweep":
        return render_sweep(read_sweep(GOLDEN / "sweep.json"))
    before, after = (read_audit(GOLDEN / f"{name}.json") for name in ("kept", "sanitized"))
    if form in ("pair", "models"):
        return render(before, after) if form == "pair" else models(before, after)
    return render(read_audit(GOLDEN / f"{form}.json"))


@pytest.mark.parametrize("form", FORMS)
def test_what_everybody_reads_is_short_and_begins_with_the_verdict(
    browser: "Browser", tmp_path: Path, form: str
) -> None:
    path, most = tmp_path / "page.html", MOST_WORDS + (PAIRED_WORDS if form == "pair" else 0)
    write_page(path, golden(form))
    assert path.stat().st_size <= MOST_BYTES
    with opened(browser, path, is_unfolded=False) as (page, _):
        assert 800 < len(page.inner_text("body").split()) <= most
        printed = page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= MOST_SHEETS
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate(f"document.querySelector('{ANSWER}').getBoundingClientRect().top") < VERDICT_ABOVE


def test_a_drawing_that_is_cut_would_be_seen(browser: "Browser", tmp_path: Path) -> None:
    body = '<figure class="short">one</figure><figure class="long"><p>one</p><div></div><p>two</p></figure>'
    style = "@page { size: A4 } div { height: 1200px }"
    with opened(browser, broken(tmp_path, style, body)) as (page, _):
        assert cut(page) == (2, ["figure.long"])


def test_a_picture_for_the_readme_is_small_and_shows_no_map(browser: "Browser", shelf: dict[str, Path]) -> None:
    from pictures import MOST_BYTES as MOST  # noqa: PLC0415 - it needs playwright
    from pictures import SCALE, WIDTH, picture  # noqa: PLC0415

    light, dark = (picture(browser, shelf["one audit"], scheme) for scheme in ("light", "dark"))
    assert light != dark
    assert max(len(light), len(dark)) < MOST
    with Image.open(io.BytesIO(light)) as shown:
        assert shown.mode == "P" and shown.width == SCALE * WIDTH
    with opened(browser, shelf["before and after"], width=WIDTH) as (page, _):
        page.reload()
        assert page.locator(".map").count() and not page.locator(".map:visible").count(), "folded"
        page.goto(f"{shelf['before and after'].as_uri()}#where")  # a link opens what it leads to
        assert page.locator(".map:visible").count()


def test_a_page_with_an_image_makes_no_picture(browser: "Browser", tmp_path: Path) -> None:
    from pictures import picture  # noqa: PLC0415 - it needs playwright

    body = '<section id="verdict"></section><section id="leakage"><figure>x</figure><img alt="" src="data:,"></section>'
    with pytest.raises(IreneError, match="holds an image"):
        picture(browser, broken(tmp_path, "", body), "light")
