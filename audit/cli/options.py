"""Options that several commands share: which model, which rows, which columns, and progress on stderr."""

import json
import math
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from audit.cli.config_file import in_full
from audit.data.sources.catalogue import DATASETS, METADATA_FILES, TABLES

Command = TypeVar("Command", bound=Callable[..., Any])
LARGEST = 1e30
"""What a step of an optimizer can multiply without leaving float32."""


class Real(click.FloatRange):
    """A number in a range; `nan` and `inf`, which click lets through, are refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number) or abs(number) > LARGEST:
            self.fail(f"{value} is not a number that can be computed with.", param, ctx)
        return number


CHECKPOINT = click.argument("checkpoint", type=click.Path(path_type=Path))
TASK = (click.option("--task", required=True, help="Column that the model predicts."),)
MODEL = (
    click.option(
        "--arch",
        help="Who builds the model that the weights are for: torchvision.models:resnet18, timm:NAME, "
        "package.module:factory, file.py:factory, biased-mnist or small-convnet. Programs bring their own.",
    ),
    click.option(
        "--arch-arg",
        multiple=True,
        metavar="NAME=VALUE",
        help="An argument of the factory, for instance num_classes=2.",
    ),
    click.option("--weights-key", help="Under which key of the file the weights stand, for instance model_ema."),
    click.option("--allow-pickle", is_flag=True, help="Run the code in a pickled file. Only for a file that you made."),
    click.option("--device", default="auto", show_default=True, help="auto is CUDA where there is one, else the CPU."),
)
SOURCE = (
    click.option(
        "--data",
        help=f"Whose rows: a folder of images with {METADATA_FILES}, a table ({', '.join(TABLES)}), "
        f"{', '.join(DATASETS)}, package.module:factory or file.py:factory.",
    ),
    click.option("--data-root", help="Folder of the data's files (biased-mnist, celeba)."),
    click.option(
        "--rho",
        type=float,
        help="Share of a digit's images in its own colour (digits, biased-mnist); .1 is uncorrelated.",
    ),
    click.option(
        "--transform",
        help="How rows become what the model takes: imagenet, half, unit, package.module:factory or file.py:factory.",
    ),
    click.option("--image-size", type=click.IntRange(min=8), help="Side of the images in pixels."),
    click.option("--features", help="A table's columns that the model takes, with commas between them."),
    click.option("--group", help="Column of what must not be split: a person, a household."),
    click.option("--continuous", help="Columns to read as numbers, with commas between them."),
    click.option("--classes", help="Columns of many whole numbers to read as classes, with commas between them."),
    click.option("--data-arg", multiple=True, metavar="NAME=VALUE", help="Another argument of the data source."),
)
TOLD = ("data_root", "rho", "transform", "image_size", "features", "continuous", "classes")
"""Options of SOURCE that a data source takes."""
ROWS = (
    click.option(
        "--limit-rows",
        type=click.IntRange(min=1),
        help="Use at most this many rows, drawn by the seed, whole groups.",
    ),
    click.option("--seed", type=click.IntRange(min=0, max=2**32 - 1), default=0, show_default=True),
)
PRIVATE = (
    click.option(
        "--private",
        required=True,
        help="Columns that should not be readable, with commas between them; a+b is the intersection of two.",
    ),
    click.option(
        "--pool",
        type=click.Choice(["mean", "flatten", "first"]),
        default="mean",
        show_default=True,
        help="How maps (c, h, w) and tokens (t, d) become one vector a row: mean over places, all of it, first token.",
    ),
)


def with_options(*groups: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """Give a command several groups of options, in the order written."""
    return lambda command: reduce(
        lambda done, one: one(done), reversed([one for group in groups for one in group]), command
    )


def names(text: str) -> list[str]:
    """Split a list with commas; twice the same name counts once."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def arguments(pairs: Sequence[str]) -> dict[str, Any]:
    """Read NAME=VALUE pairs; a value that is JSON becomes what it says, any other stays text.

    Raises:
        click.UsageError: A pair has no equals sign.
    """
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{pair!r} is not NAME=VALUE. Write for instance num_classes=2.")
        try:
            found[name.replace("-", "_")] = json.loads(value)
        except json.JSONDecodeError:
            found[name.replace("-", "_")] = value
    return found


def data_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the user gave to the data source; those not given keep its defaults.

    Args:
        given: The values of the options in SOURCE.

    Raises:
        click.UsageError: A pair is not NAME=VALUE, or it asks for the other part of the rows.
    """
    told = {name: given[name] for name in TOLD if given[name] is not None}
    more = arguments(given["data_arg"])
    if "part" in more:
        raise click.UsageError("--data-arg part=… is not the user's to set: an audit reads no row that trains a model.")
    return told | more


def open_rows(given: Mapping[str, Any], part: Any, arch: str | None) -> Any:
    """Open the rows that the options in SOURCE name, as audit.data.LabelledData.

    Images in a folder are seen through the architecture's published transform if no other is named.

    Raises:
        click.UsageError: No data was named, or a pair is not NAME=VALUE.
        IreneError: They cannot be opened, or have no such group column.
    """
    from audit.data.sources.opening import open_data  # noqa: PLC0415 - keeps `irene --help` fast
    from audit.data.transforms import known_transform  # noqa: PLC0415

    if given["data"] is None:
        raise click.UsageError("Missing option '--data'. Name the rows that the model is to be audited on.")
    options = data_options(given)
    note = ""
    if Path(given["data"]).is_dir() and "transform" not in options and arch and (known := known_transform(arch)):
        options["transform"] = known
        note = f"the images were transformed as published for {arch}; give --transform if it was trained otherwise"
    data = open_data(given["data"], part, options)
    data = data.grouped_by(given["group"]) if given["group"] else data
    return replace(data, notes=(*data.notes, note)) if note else data


def command_line() -> str:
    """Return what was typed, for the record."""
    context = click.get_current_context()
    typed: list[str] = context.find_root().meta.get("arguments", sys.argv[1:])
    return shlex.join(["irene", *in_full(context, typed)])


def progress(items: Iterable[Any], length: int, label: str) -> Iterator[Any]:
    """Show a bar on stderr while the items go by, where somebody is looking."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(items, length=length, label=f"{label:16}", file=sys.stderr, hidden=hidden) as bar:
        yield from bar
