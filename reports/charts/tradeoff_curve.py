"""The curve of a sweep on a page: one drawing for each private attribute, for wide and for narrow screens."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from audit.evidence.numbers import count, shorten
from audit.evidence.sweep_result import Sweep
from reports.charts.attribute import Drawing
from reports.charts.svg import drawing, element, printable
from reports.charts.tradeoff_panel import TASK_KEPT, TIER, Layout, Line, draw_key, draw_panel, key_height
from reports.charts.tradeoff_points import Spot, colours, in_words, kept_spots, spots_of
from reports.inputs.sweep_choice import level, untouched

WIDE = Layout(714, 400, 58, 28, 0, text=13, small=12, mark=11, steps=6, columns=4)
NARROW = Layout(262, 270, 46, 12, 0, text=11.5, small=11, mark=10, steps=4, columns=2)
UNDER = 46.0
"""Pixels under what is plotted, for the scale and its name."""
KEY = (
    "Further left less is read; further up the task is done better. Numbers: the points in the order they were made, "
    "named under the drawing. Filled and bold: no other point is as good in both "
    "and better in one. Ringed: the point named above. Dotted across: the lower end of the untouched checkpoint's "
    "interval. Thin bars: 95 % intervals. Lines join a method's points in order of weight. Band: the floors, what each "
    "point's predicted task label alone tells. Dashed: the highest floor with the limit on top, a guide only: the "
    "verdict is on each point's own excess."
)
KEPT_KEY = (
    "Further up more is kept of the attributes to keep, as a share of what could be kept at best of the untouched "
    "checkpoint's features (dotted) if nothing were told of the private ones: AUROC above one half, mean over the "
    "attributes. The optimum is where that line meets the band of the floors; above the line a point tells of the "
    "private attributes, or is trained to keep more than the features told. Marks, numbers and thin bars as above."
)


def curves(sweep: Sweep, attributes: Sequence[str]) -> tuple[Drawing, ...]:
    """Draw task accuracy against leakage, once for each of these attributes."""
    return tuple(
        _curve(sweep, name, f"curve-{place}", "Marks and lines as above." if place else KEY)
        for place, name in enumerate(attributes)
    )


def kept_curves(sweep: Sweep, attributes: Sequence[str]) -> tuple[Drawing, ...]:
    """Draw what is kept of the attributes to keep against leakage, with the optimum; none where that is not known."""
    return tuple(
        Drawing(
            attribute=shorten(name),
            layer=shorten(sweep.setup.layer),
            wide=_draw_kept(sweep, name, spots, WIDE, f"kept-{place}-wide"),
            narrow=_draw_kept(sweep, name, spots, NARROW, f"kept-{place}-narrow"),
            caption="Marks and lines as above." if place else KEPT_KEY,
        )
        for place, name in enumerate(attributes)
        if (spots := kept_spots(sweep, name))
    )


def _curve(sweep: Sweep, attribute: str, salt: str, key: str) -> Drawing:
    spots = spots_of(sweep, attribute)
    rows = untouched(sweep, attribute).read.test_rows
    return Drawing(
        attribute=shorten(attribute),
        layer=shorten(sweep.setup.layer),
        wide=_draw(sweep, attribute, spots, WIDE, f"{salt}-wide"),
        narrow=_draw(sweep, attribute, spots, NARROW, f"{salt}-narrow"),
        caption=f"{key} {count(rows)} test rows.",
    )


def _draw(sweep: Sweep, attribute: str, spots: list[Spot], layout: Layout, salt: str) -> Markup:
    words = Words(
        up=f"accuracy on {printable(sweep.setup.task)}, the task",
        title=f"Accuracy of the task against what is read of {printable(attribute)}",
        description=f"{in_words(spots)}.",
        line=Line(level(sweep), TASK_KEPT),
    )
    return _panel(sweep, attribute, spots, layout, salt, words)


def _draw_kept(sweep: Sweep, attribute: str, spots: list[Spot], layout: Layout, salt: str) -> Markup:
    words = Words(
        up="what is kept, of what could be kept at best",
        title=f"What is kept of other attributes against what is read of {printable(attribute)}",
        description=f"{in_words(spots, 'kept')}. The optimum is 100 % at the floor.",
        line=Line(1.0, "at best", is_shown=True),
    )
    return _panel(sweep, attribute, spots, layout, salt, words)


@dataclass(frozen=True)
class Words:
    """What one kind of drawing says."""

    up: str
    title: str
    description: str
    line: Line


def _panel(sweep: Sweep, attribute: str, spots: list[Spot], layout: Layout, salt: str, words: Words) -> Markup:
    top, bottom = 4 * TIER + 6, UNDER + key_height(spots, layout)
    width, height = layout.left + layout.width + layout.right, top + layout.height + bottom
    with drawing(width, height, salt=salt) as figure:
        draw_panel(
            figure.add_axes((layout.left / width, bottom / height, layout.width / width, layout.height / height)),
            spots,
            layout,
            across=f"balanced accuracy{',' if layout is NARROW else ' of the'} strongest fresh attacker",
            up=words.up,
            heading="",
            chance=untouched(sweep, attribute).read.chance,
            line=words.line,
        )
        draw_key(figure, spots, layout, bottom - UNDER)
        return element(figure, title=words.title, description=words.description, salt=salt, colours=colours(sweep))
