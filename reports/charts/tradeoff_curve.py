"""The curve of a sweep on a page: one drawing for each private attribute, for wide and for narrow screens."""

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from audit.evidence.numbers import count, shorten
from audit.evidence.sweep_result import Sweep
from reports.charts.attribute import Drawing
from reports.charts.svg import MUTED, PAPER, drawing, element, fitted, printable
from reports.charts.tradeoff_panel import TIER, Layout, draw_panel
from reports.charts.tradeoff_points import COLOURS, Spot, by_method, spots_of, told
from reports.inputs.sweep_choice import level, untouched

WIDE = Layout(714, 400, 58, 28, 0, text=13, small=12, mark=11, steps=6, every_name=True)
NARROW = Layout(268, 270, 40, 12, 0, text=11.5, small=11, mark=10, steps=4, every_name=False)
UNDER = 46.0
"""Pixels under what is plotted, for the scale and its name."""


KEY = (
    "Further left less is read; further up the task is done better. Filled and bold: no other point is as good in both "
    "and better in one. Ringed: the point named above. Dotted across: the lower end of the untouched checkpoint's "
    "interval. Thin bars: 95 % intervals. Lines join a method's points in order of weight. Band: the floors, what each "
    "point's predicted task label alone tells."
)


def curves(sweep: Sweep, attributes: Sequence[str]) -> tuple[Drawing, ...]:
    """Draw how well each point does the task against what is read, once for each of these attributes."""
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
    keys = [] if layout.every_name else by_method(spots)
    top, bottom = 3 * TIER + 6, UNDER + TIER * -(-len(keys) // 2)
    width, height = layout.left + layout.width + layout.right, top + layout.height + bottom
    with drawing(width, height, salt=salt) as figure:
        draw_panel(
            figure.add_axes(
                (layout.left / width, bottom / height, layout.width / width, layout.height / height)
            ),
            spots,
            layout,
            across=f"balanced accuracy{' of the' if layout.every_name else ','} strongest fresh attacker",
            up=f"accuracy on {printable(sweep.setup.task)}, the task",
            heading="",
            chance=untouched(sweep, attribute).read.chance,
            kept=level(sweep),
        )  # fmt: skip
        for index, (first, *_) in enumerate(keys):
            at = (8 + index % 2 * width / 2) / width, (bottom - UNDER - TIER * (index // 2 + 0.5)) / height
            _write_key(figure, first, at, layout)
        return element(
            figure,
            title=f"Accuracy of the task against what is read of {printable(attribute)}",
            description=f"{told(spots)}.",
            salt=salt,
            colours=COLOURS,
        )


def _write_key(figure: Figure, spot: Spot, at: tuple[float, float], layout: Layout) -> None:
    """Name a method beside its mark, two in a line: on a narrow drawing most points stand without a name."""
    colour, (x, y) = spot.look.colour, at
    figure.add_artist(
        Line2D([x], [y], marker=spot.look.mark, markersize=0.64 * layout.mark, markeredgewidth=1.5,
               markerfacecolor=PAPER, markeredgecolor=colour, linestyle="none")
    )  # fmt: skip
    width = 72 * float(figure.get_size_inches()[0])
    name = fitted(figure, printable(spot.method.rpartition(":")[2]), width / 2 - 24, size=layout.small)
    figure.text(x + 10 / width, y, name, fontsize=layout.small, color=MUTED, va="center_baseline")
