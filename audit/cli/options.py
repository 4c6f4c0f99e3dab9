"""Options that several commands share, and each group of them as one typed value.

A command is decorated `@with_options(ModelOptions.declared())`, takes `**options` from click and builds the values it
needs: `ModelOptions.of(options)`.
"""

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import click

from audit.column_names import split_names
from audit.data.sources.catalogue import DATASETS, METADATA_FILES, TABLES, TAR
from audit.errors import visible

if TYPE_CHECKING:
    from audit.data.labelled import LabelledData, Part
    from audit.model.checkpoint import LoadedModel

Command = TypeVar("Command", bound=Callable[..., object])
Item = TypeVar("Item")
LARGEST = 1e30
"""A factor that an optimizer's step can apply without leaving float32."""


class Real(click.FloatRange):
    """A number in a range; `nan` and `inf`, which click lets through, are refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number) or abs(number) > LARGEST:
            self.fail(f"{value} is not a number that can be computed with.", param, ctx)
        return number


class Names(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """Names with commas between them, as a tuple; a name counts once."""

    name = "text"

    def convert(
        self, value: str | Sequence[str], _param: click.Parameter | None, _ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split the list."""
        return split_names(value)


class Token(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """The number of a token, or the word none."""

    name = "token"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Read the number."""
        if value == "none":
            return "none"
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is no token's number. Give one, for instance 0, or none.", param, ctx)


CHECKPOINT = click.argument("checkpoint", type=click.Path(path_type=Path))
TASK = (click.option("--task", required=True, help="Column that the model predicts."),)
PRIVATE = (
    click.option(
        "--private",
        type=Names(),
        required=True,
        help="Columns that should not be readable, with commas between them; a+b is the intersection of two.",
    ),
    click.option(
        "--pool",
        type=click.Choice(["mean", "flatten", "first", "last", "channels-first", "channels-last", "time-first"]),
        default="mean",
        show_default=True,
        help="How maps and sequences become one vector a row: the mean over positions, all of it, the first or the "
        "last token. "
        "Where the model does not make known which axis holds the channels, say so, and the mean is taken: "
        "channels-first is (n, c, …), channels-last (n, …, c), time-first (t, n, d).",
    ),
    click.option(
        "--padding",
        type=Token(),
        help="The token that fills up short texts and is left out of means, or none; if left out, as an embedding of "
        "the model says.",
    ),
    click.option(
        "--scores",
        type=click.Choice(["logits", "probabilities", "ordinal"]),
        help="What the model's output holds for classes; if left out, as the model makes known. ordinal: the logit of "
        "each step from one of K ordered classes to the next, K - 1 in all.",
    ),
    click.option(
        "--model-output",
        metavar="NAME",
        help="Which part of what the model returns holds the task's scores: a key, a field or a place, with dots "
        "between them (logits, heads.smile, 1), or a column (31); if left out, the one part that may be them.",
    ),
)


def with_options(*groups: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """Give a command several groups of options, in the order written."""
    return lambda command: reduce(
        lambda done, one: one(done), reversed([one for group in groups for one in group]), command
    )


def arguments(pairs: Sequence[str]) -> dict[str, object]:
    """Read NAME=VALUE pairs; a value that is JSON becomes what it says, any other stays text."""
    found: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{pair!r} is not NAME=VALUE. Write for instance num_classes=2.")
        try:
            found[name.replace("-", "_")] = json.loads(value)
        except json.JSONDecodeError:
            found[name.replace("-", "_")] = value
    return found


def option(*names: str, **settings: Any) -> Any:
    """Declare a field of Options as an option of click's, named as the field unless other names are given."""
    return field(metadata={"names": names, "settings": settings})


@dataclass(frozen=True)
class Options:
    """Values of several options of one command, each declared with its field."""

    @classmethod
    def declared(cls) -> tuple[Callable[[Command], Command], ...]:
        """Return the options as decorators of a command, in order; a field without a declaration is another's."""
        return tuple(
            click.option(*(one.metadata["names"] or [f"--{one.name.replace('_', '-')}"]), **one.metadata["settings"])
            for one in fields(cls)
            if one.metadata
        )

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Self:
        """Take the values out of all that click gives to a command."""
        return cls(**{one.name: options[one.name] for one in fields(cls)})


@dataclass(frozen=True)
class ModelOptions(Options):
    """How a checkpoint becomes a model."""

    arch: str | None = option(
        help="Who builds the model that the weights are for: torchvision.models:resnet18, "
        "torchvision.models.video:r3d_18, timm:NAME, hf:FOLDER, package.module:factory, file.py:factory, biased-mnist "
        "or small-convnet. Programs bring their own."
    )
    arch_arg: tuple[str, ...] = option(
        multiple=True, metavar="NAME=VALUE", help="An argument of the factory, for instance num_classes=2."
    )
    weights_key: str | None = option(help="Under which key of the file the weights stand, for instance model_ema.")
    allow_pickle: bool = option(is_flag=True, help="Run the code in a pickled file. Only for a file that you made.")
    skip_types: tuple[str, ...] = option(
        type=Names(),
        default=(),
        help="Types of objects beside the weights, with commas between them, that are left out unread and unrun.",
    )
    device: str = option(default="auto", show_default=True, help="auto is CUDA where there is one, else the CPU.")

    def architecture(self, checkpoint: Path) -> str | None:
        """Return who builds the model: who is named, or the folder itself where it is one of Hugging Face."""
        from audit.model.huggingface import PREFIX, is_folder

        return self.arch or (f"{PREFIX}{checkpoint}" if is_folder(checkpoint) else None)

    def load(self, checkpoint: Path) -> "LoadedModel":
        """Load a checkpoint, on the CPU."""
        from audit.model.checkpoint import load

        return load(
            checkpoint,
            self.arch,
            arguments(self.arch_arg),
            weights_key=self.weights_key,
            allow_pickle=self.allow_pickle,
            skip_types=self.skip_types,
        )


@dataclass(frozen=True)
class SourceOptions(Options):
    """Which rows, and how they are opened."""

    data: str | None = option(
        help=f"Whose rows: a folder of images, sounds or clips with {METADATA_FILES}, or with a folder for each class, "
        f"or one that save_to_disk wrote; a table ({', '.join(TABLES)}); archives of WebDataset ({TAR}); an address "
        f"of these, such as s3://…; {', '.join(DATASETS)}, package.module:factory or file.py:factory."
    )
    data_root: str | None = option(
        help="Folder of the data's files (biased-mnist, celeba), or that the paths in a table start from."
    )
    image: str | None = option(help="A table's column of images: their paths, or the images themselves.")
    audio: str | None = option(help="The same of sounds.")
    video: str | None = option(help="The same of clips.")
    text: str | None = option(help="A table's column of texts, for a model of Hugging Face's form.")
    tokenizer: str | None = option(help="Folder of the tokenizer of these texts; that of the model if left out.")
    class_folders: str | None = option(
        metavar="NAMES",
        help="Columns that the names of a folder's folders are the classes of, from the outermost, with commas between "
        "them.",
    )
    rho: float | None = option(
        type=float, help="Share of a digit's images in its own colour (digits, biased-mnist); .1 is uncorrelated."
    )
    transform: str | None = option(
        help="How rows become what the model takes: imagenet, half, unit, package.module:factory or file.py:factory."
    )
    image_size: int | None = option(
        type=click.IntRange(min=8), help="Side of images and frames in pixels; 224 if left out."
    )
    sample_rate: int | None = option(
        type=click.IntRange(min=1), help="Samples a second that sounds are resampled to; if left out, their own."
    )
    seconds: float | None = option(
        type=Real(0, min_open=True),
        help="Length of every sound or clip: cut at its end, or filled up with silence, or the last frame.",
    )
    frames: int | None = option(
        type=click.IntRange(min=1), help="How many frames of each clip the model takes, evenly spaced over its time."
    )
    clip_axes: str | None = option(
        type=click.Choice(["cthw", "tchw"]),
        help="Which axes of a clip the model takes: channels first, as torchvision's video models do, or frames first.",
    )
    follow_links: bool | None = option(
        is_flag=True, default=None, help="See files that are links to files outside their folder, too."
    )
    features: str | None = option(help="A table's columns that the model takes, with commas between them.")
    group: str | None = option(help="Column of what must not be split: a person, a household.")
    continuous: str | None = option(help="Columns to read as numbers, with commas between them.")
    classes: str | None = option(help="Columns of many whole numbers to read as classes, with commas between them.")
    missing: str | None = option(
        metavar="WORDS",
        help="Words that mean missing, with commas between them, beside the empty cell; ? alone if left out.",
    )
    data_arg: tuple[str, ...] = option(multiple=True, metavar="NAME=VALUE", help="Another argument of the data source.")

    def for_source(self) -> dict[str, object]:
        """Return the options that the user gave to the data source; those not given keep its defaults."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        given = {name: own[name] for name in own if name not in NOT_OF_A_SOURCE and own[name] is not None}
        more = arguments(self.data_arg)
        if "part" in more:
            raise click.UsageError(
                "--data-arg part=… is not the user's to set: an audit reads no row that trains a model."
            )
        return given | more

    def open(self, part: "Part", arch: str | None) -> "LabelledData":
        """Open the rows that --data names.

        Images and clips are seen through the architecture's published transform if no other is named.
        """
        from audit.data.sources.opening import open_data

        if self.data is None:
            raise click.UsageError("Missing option '--data'. Name the rows that the model is to be audited on.")
        data = open_data(self.data, part, self.for_source(), arch=arch)
        return data.grouped_by(self.group) if self.group else data


NOT_OF_A_SOURCE = ("data", "group", "data_arg")
"""Options of SourceOptions that no data source takes by their name."""


@dataclass(frozen=True)
class RowOptions(Options):
    """How many of the rows."""

    limit_rows: int | None = option(
        type=click.IntRange(min=1), help="Use at most this many rows, drawn by the seed, whole groups but for the last."
    )
    seed: int = option(type=click.IntRange(min=0, max=2**32 - 1), default=0, show_default=True)

    def limit(self, data: "LabelledData") -> "LabelledData":
        """Return at most `limit_rows` rows, whole groups but for the last, drawn by the seed."""
        return data.limited(self.limit_rows or len(data), seed=self.seed)


@dataclass(frozen=True)
class RareOptions(Options):
    """What becomes of classes that are too rare to audit."""

    min_class: int = option(
        type=click.IntRange(min=2),
        default=10,
        show_default=True,
        help="Leave out classes with fewer rows in one of the three splits.",
    )
    merge_rare: str | None = option(metavar="NAME", help="Merge these classes into one of this name, such as other.")


@dataclass(frozen=True)
class OrderOptions(Options):
    """What the model's outputs stand for."""

    task_classes: tuple[str, ...] | None = option(
        type=Names(),
        help="The task's classes in the order of the model's outputs, with commas between them, those that no row has, "
        "too. If left out: numbers in their order, names in the alphabet's.",
    )
    positive: str | None = option(
        help="Of two classes of the task, the one that a single output, or the second of two, stands for."
    )

    def order(self, data: "LabelledData", task: str | None) -> "LabelledData":
        """Put the task's classes in the order that is named, if one is."""
        from audit.errors import UnknownNameError

        classes, positive = self.task_classes, self.positive
        if classes and positive is not None:
            raise click.UsageError("--positive and --task-classes both name an order of the task's classes. Give one.")
        if not classes and positive is None:
            return data
        if task is None:
            raise click.UsageError("An order of the task's classes is named, and no task. Name the column with --task.")
        if positive is None:
            return data.in_order(task, classes or ())
        names = data.column(task, "task").classes
        if positive not in names:
            raise UnknownNameError(f"class of {task!r}", positive, names)
        if len(names) != 2:
            raise click.UsageError(
                f"--positive is for a task of two classes, and {task!r} has {len(names)}. Name all of them, in the "
                "order of the model's outputs, with --task-classes."
            )
        return data.in_order(task, [*(one for one in names if one != positive), positive])


MODEL, SOURCE, ROWS = ModelOptions.declared(), SourceOptions.declared(), RowOptions.declared()
RARE, ORDER = RareOptions.declared(), OrderOptions.declared()


def progress(items: Iterable[Item], length: int, label: str) -> Iterator[Item]:
    """Show a bar on stderr while the items go by, where somebody is looking."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(items, length=length, label=visible(f"{label:16}"), file=sys.stderr, hidden=hidden) as bar:
        yield from bar
