"""Options that `irene sanitize` and `irene sweep` share, and the values that they stand for."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit.cli.options import ModelOptions, Names, OrderOptions, Real, RowOptions, SourceOptions

if TYPE_CHECKING:
    from audit.data.labelled import LabelledData, Part

Option = Callable[[Any], Any]

KEEP = (click.option("--keep", type=Names(), default="", help="Columns to retain, with commas between them."),)
LAYER = (click.option("--layer", help="The bottleneck; the suggested one if left out."),)


def output_option(text: str, default: str | None = None) -> tuple[Option]:
    """Return the option -o, required unless it has a default."""
    path = click.Path(path_type=Path)
    shown: dict[str, Any] = {"default": default, "show_default": True} if default else {"required": True}
    return (click.option("-o", "--output", type=path, help=text, **shown),)


def option(name: str, kind: "click.ParamType[Any]", text: str | None, default: object = None) -> Option:
    """Return an option whose help ends with its default, if it has one."""
    return click.option(name, type=kind, default=default, show_default=default is not None, help=text)


WHOLE, FACTOR, POSITIVE = click.IntRange(min=0), Real(min=0), Real(min=0, min_open=True)
RECIPE = (
    option("--epochs", WHOLE, None, 30),
    option("--batch-size", click.IntRange(min=2), "Of all processes together.", 512),
    option("--optimizer", click.Choice(["adam", "sgd"]), None, "adam"),
    option("--lr", POSITIVE, None, 1e-3),
    option(
        "--schedule",
        click.Choice(["cosine", "steps", "plateau"]),
        "How --lr falls: along a cosine to 0; to a tenth at half and at three quarters of the epochs; or to a tenth "
        "wherever the task's loss on held-out rows was no lower for 10 epochs, until it is below a hundredth.",
        "cosine",
    ),
    option("--weight-decay", FACTOR, None, 1e-4),
    option("--alpha", FACTOR, "Weight of the task's loss.", 1.0),
    option(
        "--patience",
        WHOLE,
        "Stop after so many epochs without a better one, by a fresh audit of held-out rows; 0: never.",
        0,
    ),
    option(
        "--choose",
        click.Choice(["audit", "last"]),
        "Keep the best epoch by a quick fresh audit of held-out rows, or the last and audit none, as the paper does.",
        "audit",
    ),
    option(
        "--precision",
        click.Choice(["32-true", "bf16-mixed", "16-mixed"]),
        "Precision of the forward and backward pass; information terms are computed in float32 or higher.",
        "32-true",
    ),
    click.option("--freeze", type=Names(), default="", help="Modules that are not trained, with commas between them."),
    option(
        "--augment",
        click.Choice(["none", "shift", "flip"]),
        "How training images change each time they are read: shifted; or shifted and, every second one, mirrored.",
        "none",
    ),
    click.option(
        "--reweigh",
        is_flag=True,
        help="Resample training rows so that task and private attributes are independent (Kamiran & Calders 2012); "
        "use it if their correlation is an artefact of sampling.",
    ),
    click.option(
        "--allow-chance",
        is_flag=True,
        help="Train a model, too, that is no better at its task than always answering the most frequent class.",
    ),
    option("--workers", WHOLE, "Processes that read inputs.", 0),
)


OTHERS = ("layer", "pool", "padding", "scores", "output", "device", "allow_chance")
"""Options of every training beside its recipe."""


def recipe_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a Recipe, and OTHERS, by the values of their options."""
    from sanitizer.job import Recipe

    named = {**given, "output": given["model_output"]}  # --output is the file
    return {name: named[name] for name in (*(one.name for one in fields(Recipe)), *OTHERS)}


def limited_rows(given: Mapping[str, Any], part: "Part", checkpoint: Path) -> "LabelledData":
    """Open one part of the rows, at most `--limit-rows` of them, with the task's classes in the order named."""
    arch = ModelOptions.of(given).architecture(checkpoint)
    data = RowOptions.of(given).limit(SourceOptions.of(given).open(part, arch))
    return OrderOptions.of(given).order(data, given["task"])
