"""Options that `irene sanitize` and `irene sweep` share, and the values that they stand for."""

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from audit.cli.options import Names, Real, RowOptions, SourceOptions

if TYPE_CHECKING:
    from audit.data.labelled import LabelledData, Part

KEEP = (click.option("--keep", type=Names(), default="", help="Columns to retain, with commas between them."),)
LAYER = (click.option("--layer", help="The bottleneck; the suggested one if left out."),)
RECIPE = (
    click.option("--epochs", type=click.IntRange(min=0), default=30, show_default=True),
    click.option(
        "--batch-size", type=click.IntRange(min=2), default=512, show_default=True, help="Of all processes together."
    ),
    click.option("--optimizer", type=click.Choice(["adam", "sgd"]), default="adam", show_default=True),
    click.option("--lr", type=Real(min=0, min_open=True), default=1e-3, show_default=True),
    click.option("--weight-decay", type=Real(min=0), default=1e-4, show_default=True),
    click.option("--alpha", type=Real(min=0), default=1.0, show_default=True, help="Weight of the task's loss."),
    click.option(
        "--patience",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Stop after so many epochs without a better one, by a fresh audit of held-out rows; 0: never.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["32-true", "bf16-mixed", "16-mixed"]),
        default="32-true",
        show_default=True,
        help="Precision of the forward and backward pass; information terms are computed in float32 or higher.",
    ),
    click.option("--freeze", type=Names(), default="", help="Modules that are not trained, with commas between them."),
    click.option(
        "--augment",
        type=click.Choice(["none", "shift", "flip"]),
        default="none",
        show_default=True,
        help="How training images change each time they are read: shifted; or shifted and, every second one, mirrored.",
    ),
    click.option(
        "--reweigh",
        is_flag=True,
        help="Resample training rows so that task and private attributes are independent (Kamiran & Calders 2012); "
        "use it if their correlation is an artefact of sampling.",
    ),
    click.option(
        "--workers", type=click.IntRange(min=0), default=0, show_default=True, help="Processes that read inputs."
    ),
)


def recipe_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a Recipe, and the layer, pool and device, by the values of their options."""
    from sanitizer.job import Recipe

    return {name: given[name] for name in (*(one.name for one in fields(Recipe)), "layer", "pool", "device")}


def limited_rows(given: Mapping[str, Any], part: "Part") -> "LabelledData":
    """Open one part of the rows, at most `--limit-rows` of them."""
    return RowOptions.of(given).limit(SourceOptions.of(given).open(part, given["arch"]))
