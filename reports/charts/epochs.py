"""What the sanitizer's quick attackers read after each epoch of a training, and how well the task was done."""

from markupsafe import Markup

from audit.evidence.audit_result import Epoch, QuantityTask, Sanitizing
from audit.evidence.findings import Estimate
from audit.evidence.numbers import count, measured, shorten
from reports.charts.attribute import Drawing
from reports.charts.lines import DOTTED, LOOKS, NARROW, WIDE, Axis, Curve, Layout, Reference, draw_lines, share_axis

TASK = "task"
CAPTION = (
    "Balanced accuracy after each epoch on rows held out from training: of quick attackers trained from scratch, and "
    "of the task. No evidence of removal, since the epoch was chosen by these figures: the limit is on what the audit "
    "reads. Upright line: the epoch that the weights are of."
)
SPACES = 8
"""Numbers of epochs that have room on the scale."""


def epochs_drawing(made: Sanitizing) -> Drawing | None:
    """Draw a training by its epochs; None where it has not two of them, or nothing was read on the way."""
    names = list(dict.fromkeys(name for epoch in made.trace for name in epoch.fresh))[: len(LOOKS) - 1]
    curves = [_curve(shorten(name), made.trace, name, place) for place, name in enumerate(names)]
    if not any(len(one.points) > 1 for one in curves):
        return None
    if made.settings.get("task_is") != QuantityTask.told and any(one.task_accuracy is not None for one in made.trace):
        curves.append(_curve(TASK, made.trace, None, len(names)))
    ends = [one.value for curve in curves for _, one in curve.points]
    up = share_axis(ends)
    chosen = [] if made.chosen is None else [_upright(made.chosen + 1, up)]
    wide, narrow = (
        _draw(curves, chosen, up, len(made.trace), layout, f"epochs-{name}")
        for layout, name in ((WIDE, "wide"), (NARROW, "narrow"))
    )
    return Drawing("Epoch by epoch", shorten(made.layer), wide, narrow, CAPTION)


def _curve(title: str, trace: list[Epoch], name: str | None, place: int) -> Curve:
    """Return what was read of an attribute after each epoch; `name` is None for the task."""
    read = [(number, one.task_accuracy if name is None else one.fresh.get(name)) for number, one in enumerate(trace, 1)]
    points = tuple(
        (number, Estimate(value=value, low=value, high=value)) for number, value in read if value is not None
    )
    return Curve(title, points, LOOKS[place])


def _upright(epoch: int, up: Axis) -> Reference:
    return Reference(f"chosen: epoch {count(epoch)}", ((epoch, up.low), (epoch, up.high)), DOTTED)


def _draw(curves: list[Curve], chosen: list[Reference], up: Axis, epochs: int, layout: Layout, salt: str) -> Markup:
    step = -(-epochs // SPACES)
    ticks = tuple((float(number), count(number)) for number in range(epochs, 0, -step))
    told = [
        f"{one.name}: " + ", ".join(f"{measured(figure.value)} after epoch {count(int(x))}" for x, figure in one.points)
        for one in curves
    ]
    said = "What quick attackers read after each epoch", f"{'; '.join([*told, *(one.name for one in chosen)])}."
    across = Axis(0.6, epochs + 0.4, ticks, "epoch")
    return draw_lines(curves, chosen, (across, up), layout=layout, salt=salt, said=said)
