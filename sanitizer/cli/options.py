"""Options that `irene sanitize` and `irene sweep` share, and the values that they stand for."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit.cli.options import Command, Names, Real, RowOptions, SourceOptions

if TYPE_CHECKING:
    from audit.data.labelled import LabelledData, Part

KEEP = (click.option("--keep", type=Names(), default="", help="Columns to retain, with commas between them."),)
LAYER = (click.option("--layer", help="The bottleneck; the suggested one if left out."),)


def output_option(text: str, default: str | None = None) -> tuple[Callable[[Command], Command]]:
    """Return the option -o, required unless it has a default."""
    path = click.Path(path_type=Path)
    if default is None:
        return (click.option("-o", "--output", type=path, required=True, help=text),)
    return (click.option("-o", "--output", type=path, default=Path(default), show_default=True, help=text),)


def _shown(
    name: str, default: object, kind: "click.ParamType[Any]", text: str | None = None
) -> Callable[[Command], Command]:
    """Return an option whose help ends with its default."""
    return click.option(name, type=kind, default=default, show_default=True, help=text)


WHOLE, FACTOR = click.IntRange(min=0), Real(min=0)
RECIPE = (
    _shown("--epochs", 30, WHOLE),
    _shown("--batch-size", 512, click.IntRange(min=2), "Of all processes together."),
    _shown("--optimizer", "adam", click.Choice(["adam", "sgd"])),
    _shown("--lr", 1e-3, Real(min=0, min_open=True)),
    _shown("--weight-decay", 1e-4, FACTOR),
    _shown("--alpha", 1.0, FACTOR, "Weight of the task's loss."),
    _shown(
        "--patience",
        0,
        WHOLE,
        "Stop after so many epochs without a better one, by a fresh audit of held-out rows; 0: never.",
    ),
    _shown(
        "--precision",
        "32-true",
        click.Choice(["32-true", "bf16-mixed", "16-mixed"]),
        "Precision of the forward and backward pass; information terms are computed in float32 or higher.",
    ),
    click.option("--freeze", type=Names(), default="", help="Modules that are not trained, with commas between them."),
    _shown(
        "--augment",
        "none",
        click.Choice(["none", "shift", "flip"]),
        "How training images change each time they are read: shifted; or shifted and, every second one, mirrored.",
    ),
    click.option(
        "--reweigh",
        is_flag=True,
        help="Resample training rows so that task and private attributes are independent (Kamiran & Calders 2012); "
        "use it if their correlation is an artefact of sampling.",
    ),
    _shown("--workers", 0, WHOLE, "Processes that read inputs."),
)


def recipe_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a Recipe, and the layer, pool and device, by the values of their options."""
    from sanitizer.job import Recipe

    return {name: given[name] for name in (*(one.name for one in fields(Recipe)), "layer", "pool", "device")}


def limited_rows(given: Mapping[str, Any], part: "Part") -> "LabelledData":
    """Open one part of the rows, at most `--limit-rows` of them."""
    return RowOptions.of(given).limit(SourceOptions.of(given).open(part, given["arch"]))
