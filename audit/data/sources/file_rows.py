"""Rows that are images, sounds or clips in files, whatever listed them: labels beside them, decoded when asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import IO, TypeVar

from torch import Tensor

from audit.column_names import split_names
from audit.data.cells import FEW
from audit.data.files import audio_file, image_file, video_file
from audit.data.files.audio_file import Sound
from audit.data.files.contents import Contents
from audit.data.files.suffixes import PLURAL, Kind, kind_of
from audit.data.files.table_file import Table
from audit.data.files.video_file import Clip, Seen
from audit.data.labelled import LabelledData, Part
from audit.data.sources.table import Said, others, rows_of
from audit.data.transforms import (
    AXES,
    FORMS,
    NORMALISATION,
    OF_VIDEO,
    OF_VIDEO_AXES,
    ClipTransform,
    ImageTransform,
    clip_transform,
    image_transform,
    in_order,
    is_of_images,
    known_transform,
)
from audit.errors import DataError, IreneError, UnknownNameError, UnreadableError, in_one_line
from audit.plugins import resolve

MEANT: dict[str, tuple[Kind, ...]] = {
    "image_size": ("image", "video"),
    "sample_rate": ("audio",),
    "seconds": ("audio", "video"),
    "frames": ("video",),
    "clip_axes": ("video",),
}
"""Options, and the kinds of files that they are for."""
LEAST_CUT = 0.005
"""Share of the pixels of images that are no squares from which on it is told that they are cut."""


@dataclass(frozen=True)
class Asked:
    """What the user said of rows that are files."""

    transform: str | None = None
    """What the model was trained on; see audit.data.transforms. Of sounds a factory alone: it returns a callable from
    (samples,) to a tensor; of clips, one from (t, 3, h, w) uint8."""
    image_size: int | None = None
    """Side of the square that the model sees of an image or a frame, in pixels; by default 224."""
    continuous: str | Sequence[str] = ()
    classes: str | Sequence[str] = ()
    missing: str | Sequence[str] | None = None
    """These three as of a table."""
    follow_links: bool = False
    """Also see files that links lead to outside the folder, as many caches keep them."""
    image: str | None = None
    """Column of the paths or bytes of images."""
    audio: str | None = None
    """The same of sounds."""
    video: str | None = None
    """The same of clips."""
    sample_rate: int | None = None
    """Samples a second that sounds are resampled to; by default their own, if it is one."""
    seconds: float | None = None
    """Length of each sound or clip: cut at its end, or filled up with silence or the last frame."""
    frames: int | None = None
    """How many of each clip the model takes, evenly spaced."""
    clip_axes: str | None = None
    """Order of a clip's axes, `cthw` or `tchw`; by default that of torchvision's video models, if it is one."""
    arch: str | None = None
    """Architecture whose published transform images and clips are seen through if none is named."""
    class_folders: str | Sequence[str] = ()
    """Columns that the names of folders are the classes of, from the outermost."""
    data_root: str | None = None
    """Folder that paths in a table start from; by default its own."""

    @staticmethod
    def of(given: Mapping[str, object], source: str, *, without: Sequence[str] = ()) -> "Asked":
        """Take the options of a source by name. Raises UnknownNameError for one that it does not have."""
        known = [field.name for field in fields(Asked) if field.name not in without]
        for name in given:
            if name not in known:
                raise UnknownNameError(f"option of {source}", name, [one for one in known if one != "arch"])
        asked = Asked(**given)  # type: ignore[arg-type]
        named = [f"{'a' if kind == 'video' else 'an'} {kind}" for kind in PLURAL if getattr(asked, kind)]
        if len(named) > 1:
            both = " and ".join(named[:2])
            raise DataError(f"Both {both} column of {source} are named. A row is one of them: name one.")
        return asked

    @property
    def column(self) -> str | None:
        """Name of the column of files that the user named."""
        return self.image or self.audio or self.video

    @property
    def kind(self) -> Kind | None:
        """What the user said that files are."""
        return next((kind for kind in PLURAL if getattr(self, kind)), None)

    def seen_as(self, kind: Kind, column: str) -> "Asked":
        """Return the same with the column of files that was found."""
        return replace(self, **{kind: column})  # type: ignore[arg-type]  # a text each

    @property
    def said(self) -> Said:
        """What was said of the labels."""
        return Said.of(self.continuous, self.classes, self.missing)

    @property
    def meant(self) -> Said:
        """What is meant by that: folders are classes where nothing else is said of them."""
        said = self.said
        folders = [one for one in split_names(self.class_folders) if one not in said.continuous]
        return replace(said, classes=tuple(dict.fromkeys((*said.classes, *folders))))


def rows(
    name: str, table: Table, contents: Contents, part: Part, asked: Asked, kind: Kind | None = None
) -> LabelledData:
    """Put the labels of a table beside the files of its rows.

    Args:
        name: Of these rows, in the evidence.
        table: Labels, and `split`, of n rows.
        contents: Their files, n, in the same order.
        part: As of a table.
        asked: What they are, and how they become inputs; what was not said is told by the names of the files.
        kind: What they are where the user did not say, and their names do not tell.

    Raises DataError if files are of two kinds, options are for another one, files differ in what a batch needs alike,
    or a transform is missing.
    """
    columns, notes = asked.meant.read(table.columns, table.source)
    chosen, part_notes = rows_of(table, part)
    own = contents.take(chosen)
    links = own.checked(int(chosen[0]) + 1, follow_links=asked.follow_links)
    kind = asked.kind or kind or kind_of([own.name(row) for row in range(len(own))], table.source)
    for option, kinds in MEANT.items():
        if getattr(asked, option) is not None and kind not in kinds:
            meant = " and ".join(PLURAL[one] for one in kinds)
            raise DataError(f"{option} is for {meant}, and the rows are {PLURAL[kind]}. Leave it out.")
    made: dict[Kind, Callable[[Contents, Asked], Made]] = {"image": _images, "audio": _sounds, "video": _clips}
    inputs, options, more = made[kind](own, asked)
    if asked.column:
        options[kind] = asked.column
    return LabelledData(
        name=name,
        inputs=inputs,
        columns={one: column.take(chosen) for one, column in columns.items()},
        others=others(columns, table, chosen),
        options={"part": part, **options, **asked.said.recorded()},
        notes=notes + part_notes + links + more,
    )


class Images:
    """RGB images, decoded when they are asked for."""

    def __init__(self, contents: Contents, transform: ImageTransform) -> None:
        self._contents, self._transform = contents, transform

    def __len__(self) -> int:
        return len(self._contents)

    def __getitem__(self, row: int, /) -> Tensor:
        """Return one image as the transform makes it, (3, h, w). Raises UnreadableError if it is missing or broken."""
        name = self._contents.name(row)
        image = _decoded(self._contents, row, "image", lambda file: image_file.read_image(file, name))
        x: object = self._transform.apply(image if self._transform.takes_deep else image_file.as_rgb(image))
        return _floats(x, name, "(3, h, w)")


class Sounds:
    """Sounds of one channel, decoded when they are asked for."""

    def __init__(self, contents: Contents, sound: Sound, transform: Callable[[Tensor], object] | None) -> None:
        self._contents, self._sound, self._transform = contents, sound, transform

    def __len__(self) -> int:
        return len(self._contents)

    def __getitem__(self, row: int, /) -> Tensor:
        """Return one sound, (samples,), or what the transform makes of it. Raises UnreadableError if it is broken."""
        name = self._contents.name(row)
        x = _decoded(self._contents, row, "sound", lambda file: self._sound.read(file, name))
        return x if self._transform is None else _floats(self._transform(x), name, "of one shape for all")


class Clips:
    """Some frames of each clip, decoded when they are asked for."""

    def __init__(self, contents: Contents, clip: Clip, transform: ClipTransform) -> None:
        self._contents, self._clip, self._transform = contents, clip, transform

    def __len__(self) -> int:
        return len(self._contents)

    def __getitem__(self, row: int, /) -> Tensor:
        """Return one clip as the transform makes it. Raises UnreadableError if it is missing or broken."""
        frames = _decoded(self._contents, row, "clip", self._clip.read)
        return _floats(self._transform.apply(frames), self._contents.name(row), "of one shape for all")


Decoded = TypeVar("Decoded")


def _decoded(contents: Contents, row: int, what: str, read: Callable[[IO[bytes]], Decoded]) -> Decoded:
    """Open and decode the file of a row. Raises UnreadableError if it is missing or broken."""
    try:
        with contents.opened(row) as file:
            return read(file)
    except IreneError:
        raise
    except Exception as error:  # a broken file fails in as many ways as there are bytes
        raise UnreadableError(
            f"Cannot read the {what} {contents.name(row)}: {in_one_line(error)}. Restore it, or take its row out."
        ) from None


def _floats(x: object, name: str, shape: str) -> Tensor:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = f"{x.dtype} tensor" if isinstance(x, Tensor) else type(x).__name__
        raise DataError(f"The transform made a {kind} of {name}. It returns a tensor of floats, {shape}.")
    return x


Made = tuple[Images | Sounds | Clips, dict[str, str | int | float | bool | None], tuple[str, ...]]


def _images(own: Contents, asked: Asked) -> Made:
    known = known_transform(asked.arch) if asked.arch and asked.transform is None else None
    chosen = image_transform(asked.transform or known, image_size=asked.image_size)
    found = image_file.survey(own)
    notes, smallest = found.notes, found.smallest
    if known:
        told = (
            f"the images were transformed as published for {asked.arch}; give --transform if it was trained otherwise"
        )
        notes = (*notes, told)
    notes = (
        *notes,
        *_scaled("images", chosen.image_size, smallest, asked),
        *_cut(len(own), chosen.image_size, *found.cut),
    )
    return Images(own, chosen), {"transform": chosen.name, "image_size": chosen.image_size}, notes


def _scaled(what: str, size: int | None, smallest: tuple[int, int] | None, asked: Asked) -> Iterator[str]:
    """Yield what to say of a size that nobody named, where images or clips have another."""
    if size is not None and asked.image_size is None and smallest is not None and min(smallest) != size:
        wide, high = smallest
        yield (
            f"{what} were scaled to {size} × {size} pixels, since --image-size was not given; the smallest has {wide} "
            f"× {high}, and a model that was trained on another size sees other things in them"
        )


def _cut(rows: int, size: int | None, count: int, share: float) -> Iterator[str]:
    """Yield what to say where images that are no squares lose their ends: so many of them, such a share of each."""
    if size is not None and share >= LEAST_CUT:
        told = f"{count:,} of {rows:,} images are" if FEW <= count <= rows - FEW else "some images are"
        told = "the images are" if count == rows else told
        yield (
            f"{told} no squares, and the centre square alone was seen: {share:.0%} of the pixels of these were cut off "
            "at their ends, on average; give a transform of your own if the model was trained on all of them"
        )


def _clips(own: Contents, asked: Asked) -> Made:
    is_known = asked.arch is not None and asked.arch.startswith(OF_VIDEO)
    known = known_transform(asked.arch) if asked.arch and is_known and asked.transform is None else None
    name, axes = asked.transform or known, asked.clip_axes
    if axes is None and is_known and name and is_of_images(name):
        axes = OF_VIDEO_AXES
    clip = None if asked.frames is None else Clip(asked.frames, asked.seconds)
    seen = video_file.survey(own, clip)
    own_order = name is not None and not is_of_images(name)
    if clip is None or name is None or (axes is None and not own_order):
        raise _unsaid(seen, {"frames": clip, "transform": name, "clip_axes": axes or own_order or None})
    chosen = clip_transform(name, image_size=asked.image_size, axes=axes)
    notes = list(video_file.notes(seen, clip))
    if known:
        notes.append(
            f"the clips were transformed as published for {asked.arch}, to {in_order(OF_VIDEO_AXES)}; give --transform "
            "if it was trained otherwise"
        )
    elif chosen.axes:
        notes.append(f"the model was given clips as {in_order(chosen.axes)}")
    smallest = min(seen.sizes, key=lambda size: (min(size), size), default=None)
    notes += _scaled("clips", chosen.image_size, smallest, asked)
    options: dict[str, str | int | float | bool | None] = {"transform": chosen.name, "image_size": chosen.image_size}
    options |= {"frames": clip.frames, "seconds": clip.seconds, "clip_axes": chosen.axes}
    return Clips(own, clip, chosen), {name: one for name, one in options.items() if one is not None}, tuple(notes)


def _unsaid(seen: Seen, said: Mapping[str, object]) -> DataError:
    """Return the error of clips of which nobody said what a model takes."""
    ways = {
        "frames": "--frames, how many of them it takes, for instance 16",
        "transform": f"--transform, how it was shown them: {FORMS}",
        "clip_axes": f"--clip-axes, which order of axes: {' or '.join(f'{one} is {in_order(one)}' for one in AXES)}",
    }
    asks = "; ".join(way for option, way in ways.items() if said[option] is None)
    fact = "None of the clips can be opened"
    if seen.counts:
        fewest, most = min(seen.counts), max(seen.counts)
        fact = f"The clips have {f'{fewest:,}' if fewest == most else f'{fewest:,} to {most:,}'} frames"
    return DataError(f"{fact}, and no file says what the model takes of them. Give {asks}.")


def _sounds(own: Contents, asked: Asked) -> Made:
    if asked.transform in NORMALISATION:
        raise DataError(
            "The transforms imagenet, half and unit are for images and clips, and the rows are sounds. Leave them out, "
            "or give a factory as package.module:factory or file.py:factory."
        )
    transform = None
    if asked.transform is not None:
        transform = resolve(asked.transform, "transform")()
        if not callable(transform):
            kind = type(transform).__name__
            raise DataError(f"{asked.transform} returned a {kind}. A transform's factory returns a callable.")
    sound, notes = audio_file.survey(own, Sound(asked.sample_rate, asked.seconds), any_length=transform is not None)
    options = {"transform": asked.transform, "sample_rate": sound.rate, "seconds": sound.seconds}
    return Sounds(own, sound, transform), {name: one for name, one in options.items() if one is not None}, notes
