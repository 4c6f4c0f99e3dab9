"""The curve of a sweep on a page: one drawing for each private attribute, for wide and for narrow screens."""

from collections.abc import Sequence

from markupsafe import Markup

from audit.evidence.numbers import count, shorten
from audit.evidence.sweep_result import Sweep
from reports.charts.attribute import Drawing
from reports.charts.svg import drawing, element, printable
from reports.charts.tradeoff_panel import TIER, Layout, draw_key, draw_panel, key_height
from reports.charts.tradeoff_points import Spot, colours, in_words, spots_of
from reports.inputs.sweep_choice import level, untouched

WIDE = Layout(714, 400, 58, 28, 0, text=13, small=12, mark=11, steps=6, columns=4)
NARROW = Layout(268, 270, 40, 12, 0, text=11.5, small=11, mark=10, steps=4, columns=2)
UNDER = 46.0
"""Pixels under what is plotted, for the scale and its name."""
KEY = (
    "Further left less is read; further up the task is done better. Numbers: the points in the order they were made, "
    "named under the drawing. Filled and bold: no other point is as good in both "
    "and better in one. Ringed: the point named above. Dotted across: the lower end of the untouched checkpoint's "
    "interval. Thin bars: 95 % intervals. Lines join a method's points in order of weight. Band: the floors, what each "
    "point's predicted task label alone tells."
)


def curves(sweep: Sweep, attributes: Sequence[str]) -> tuple[Drawing, ...]:
    """Draw task accuracy against leakage, once for each of these attributes."""
    return tuple(
        _curve(sweep, name, f"curve-{place}", "Marks and lines as above." if place else KEY)
        for place, name in enumerate(attributes)
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
    top, bottom = 3 * TIER + 6, UNDER + key_height(spots, layout)
    width, height = layout.left + layout.width + layout.right, top + layout.height + bottom
    with drawing(width, height, salt=salt) as figure:
        draw_panel(
            figure.add_axes((layout.left / width, bottom / height, layout.width / width, layout.height / height)),
            spots,
            layout,
            across=f"balanced accuracy{',' if layout is NARROW else ' of the'} strongest fresh attacker",
            up=f"accuracy on {printable(sweep.setup.task)}, the task",
            heading="",
            chance=untouched(sweep, attribute).read.chance,
            kept=level(sweep),
        )
        draw_key(figure, spots, layout, bottom - UNDER)
        return element(
            figure,
            title=f"Accuracy of the task against what is read of {printable(attribute)}",
            description=f"{in_words(spots)}.",
            salt=salt,
            colours=colours(sweep),
        )
