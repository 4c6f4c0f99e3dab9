"""Drawings of matplotlib as SVG: an element of a page, in the page's colours, or a file of its own.

A user's names may stand in a drawing. They reach it as text alone: what is changed here is changed inside tags.
"""

import html
import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from audit.errors import visible

INK, MUTED, HAIRLINE, BAND, PAPER = "#1a1c1f", "#565b63", "#c9ccd1", "#e6e8eb", "#ffffff"
_PAGE = {INK: "ink", MUTED: "muted", HAIRLINE: "hairline", BAND: "band", PAPER: "paper"}
"""What the page calls them."""
NAME = "name"
"""Start of the gid of a text that stands over lines: paper is kept around its letters."""
FONTS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", sans-serif'
_HALO = f"<style>.{NAME} text{{paint-order:stroke;stroke:{PAPER};stroke-width:3.5px}}</style>"
_TAG = re.compile(r"<[^>]*>")
LONGEST = 40
"""Characters of a name of the user's."""


@contextmanager
def drawing(width: float, height: float, *, salt: str) -> Iterator[Figure]:
    """Yield an empty figure whose pixels are those of the picture; it has to be saved inside the block.

    `salt` sets the element ids apart from those of other drawings on the page.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # a matplotlibrc in the user's home must not change the evidence's looks
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": salt, "text.parse_math": False})
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the reader's fonts draw it, not ours
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        FigureCanvasAgg(figure)  # measures text
        yield figure


def element(figure: Figure, *, title: str, description: str, salt: str, colours: Mapping[str, str]) -> Markup:
    """Return a figure as an `<svg>` element in the page's own font and colours.

    Args:
        figure: Of `drawing`.
        title: What it shows.
        description: Its figures in words, for who cannot see it.
        salt: The drawing's own.
        colours: What the page's CSS calls each colour beside the usual ones.
    """
    width, height, body = _body(figure)
    names = {**colours, **_PAGE}  # a method's colour may be one of the page's
    variables = {colour: f"var(--{name}, {colour})" for colour, name in names.items()}

    def themed(tag: re.Match[str]) -> str:
        text = re.sub(r"#[0-9a-f]{6}\b", lambda found: variables.get(found[0], found[0]), tag[0])
        text = re.sub(r"font: ([^;\"]*?)([\d.]+px)[^;\"]*", _short_font, text)
        return re.sub(r" ?font-family: [^;\"]*;?", "", text)

    ids = f"{salt}-title", f"{salt}-description"
    return Markup(
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="{" ".join(ids)}">'
        f'<title id="{ids[0]}">{html.escape(visible(title))}</title>'
        f'<desc id="{ids[1]}">{html.escape(visible(description))}</desc>{_TAG.sub(themed, body)}</svg>'
    )  # fmt: skip


def picture(figure: Figure, *, title: str) -> str:
    """Return a figure as a file of its own, for any background: it brings its paper along."""
    width, height, body = _body(figure)
    fonts = html.escape(FONTS)

    def lettered(tag: re.Match[str]) -> str:
        return re.sub(r"(font: [^;\"]*?[\d.]+px|font-family:) [^;\"]*", lambda found: f"{found[1]} {fonts}", tag[0])

    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img"><title>{html.escape(visible(title))}</title>{_HALO}'
        f'<rect width="{width:g}" height="{height:g}" fill="{PAPER}"/>{_TAG.sub(lettered, body)}</svg>\n'
    )


def measured(figure: Figure, words: str, **font: Any) -> tuple[float, float]:
    """Return how wide and how high words are, in pixels of a figure of `drawing`; its font is a wide one.

    `font` is as matplotlib's FontProperties names it: `size`, `weight`.
    """
    assert isinstance(figure.canvas, FigureCanvasAgg)
    renderer = figure.canvas.get_renderer()  # type: ignore[no-untyped-call]
    width, height, _ = renderer.get_text_width_height_descent(words, FontProperties(**font), ismath=False)
    return float(width), float(height)


def fitted(figure: Figure, words: str, room: float, **font: Any) -> str:
    """Return words with their middle left out until they fit into so many pixels; the rest is as for `measured`."""
    shown = words
    while len(shown) > 4 and (width := measured(figure, shown, **font)[0]) > room:
        half = max((min(len(shown) - 1, int(len(shown) * room / width)) - 1) // 2, 1)
        shown = f"{words[:half]}…{words[-half:]}"
    return shown


def printable(name: str, longest: int = LONGEST) -> str:
    """Make a name fit for a drawing: as `visible` shows it, and not too long."""
    shown = visible(name)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def _body(figure: Figure) -> tuple[float, float, str]:
    """Return width, height, and what a figure draws: no prolog, no style, no id that is not needed, two decimals."""
    target = io.StringIO()
    metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(target, format="svg", transparent=True, metadata=metadata)
    written = target.getvalue()
    body = written[written.index(">", written.index("<svg")) + 1 : written.rindex("</svg>")]
    body = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.S)
    body = re.sub(r"<defs>\s*</defs>", "", body)
    body = re.sub(r">\s+<", "><", _TAG.sub(_plain, body)).strip()
    width, height = 72 * figure.get_size_inches()
    return round(float(width), 2), round(float(height), 2), body


def _plain(found: re.Match[str]) -> str:
    """Return a tag without the ids of groups, turns by nothing, and needless digits and spaces."""
    tag = re.sub(rf'<g id="{NAME}[^"]*"', f'<g class="{NAME}"', found[0])
    tag = re.sub(r'<g id="[^"]*"', "<g", tag)  # `axes_1` and its like would repeat in every drawing
    tag = re.sub(r' transform="rotate\(-0 [^"]*"', "", tag).replace("xlink:href", "href")
    tag = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), tag)
    return re.sub(r"\s+", " ", tag)


def _short_font(found: re.Match[str]) -> str:
    weight = re.search(r"\d+|bold", found[1])
    return f"{f'font-weight: {weight[0]}; ' if weight else ''}font-size: {found[2]}"
