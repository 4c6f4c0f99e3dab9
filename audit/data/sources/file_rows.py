"""Rows that are files, images or sounds, whatever listed them: labels beside them, decoded when they are asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from torch import Tensor

from audit.data.cells import FEW
from audit.data.files import audio_file, image_file
from audit.data.files.audio_file import Sound
from audit.data.files.contents import Contents
from audit.data.files.suffixes import Kind, kind_of
from audit.data.files.table_file import Table
from audit.data.labelled import LabelledData, Part
from audit.data.sources.table import Said, rows_of
from audit.data.transforms import NORMALISATION, ImageTransform, image_transform, known_transform
from audit.errors import DataError, UnknownNameError, UnreadableError, in_one_line
from audit.plugins import resolve

LEAST_CUT = 0.005
"""Share of the pixels of images that are no squares from which on it is told that they are cut."""


@dataclass(frozen=True)
class Asked:
    """What the user said of rows that are files."""

    transform: str | None = None
    """What the model was trained on; see audit.data.transforms. Of sounds a factory alone: it returns a callable from
    (samples,) to a tensor."""
    image_size: int | None = None
    """Side of the square that the model sees, in pixels; by default 224."""
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
    sample_rate: int | None = None
    """Samples a second that sounds are resampled to; by default their own, if it is one."""
    seconds: float | None = None
    """Length of each sound: cut at its end, or filled up with silence."""
    arch: str | None = None
    """Architecture whose published transform images are seen through if none is named."""
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
        if asked.image and asked.audio:
            raise DataError(f"Both an image and an audio column of {source} are named. A row is one of them: name one.")
        return asked

    @property
    def column(self) -> str | None:
        """Name of the column of files that the user named."""
        return self.image or self.audio

    @property
    def kind(self) -> Kind | None:
        """What the user said that files are."""
        return "image" if self.image else "audio" if self.audio else None

    def seen_as(self, kind: Kind, column: str) -> "Asked":
        """Return the same with the column of files that was found."""
        return replace(self, image=column) if kind == "image" else replace(self, audio=column)

    @property
    def said(self) -> Said:
        """What was said of the labels."""
        return Said.of(self.continuous, self.classes, self.missing)


def rows(name: str, table: Table, contents: Contents, part: Part, asked: Asked) -> LabelledData:
    """Put the labels of a table beside the files of its rows.

    Args:
        name: Of these rows, in the evidence.
        table: Labels, and `split`, of n rows.
        contents: Their files, n, in the same order.
        part: As of a table.
        asked: What they are, and how they become inputs; what was not said is told by the names of the files.

    Raises DataError if files are of two kinds, differ in what a batch needs alike, or a transform is missing.
    """
    columns, notes = asked.said.read(table.columns, table.source)
    chosen, part_notes = rows_of(table, part)
    own = contents.take(chosen)
    links = own.checked(int(chosen[0]) + 1, follow_links=asked.follow_links)
    kind = asked.kind or kind_of([own.name(row) for row in range(len(own))], table.source)
    inputs, options, more = (_images if kind == "image" else _sounds)(own, asked)
    if asked.column:
        options[kind] = asked.column
    return LabelledData(
        name=name,
        inputs=inputs,
        columns={one: column.take(chosen) for one, column in columns.items()},
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
        try:
            with self._contents.opened(row) as file:
                image = image_file.read_image(file, name)
        except DataError:
            raise
        except Exception as error:  # a broken image fails in as many ways as there are bytes
            raise UnreadableError(
                f"Cannot read the image {name}: {in_one_line(error)}. Restore it, or take its row out."
            ) from None
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
        try:
            with self._contents.opened(row) as file:
                x = self._sound.read(file, name)
        except DataError:
            raise
        except Exception as error:
            raise UnreadableError(
                f"Cannot read the sound {name}: {in_one_line(error)}. Restore it, or take its row out."
            ) from None
        return x if self._transform is None else _floats(self._transform(x), name, "of one shape for all")


def _floats(x: object, name: str, shape: str) -> Tensor:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = f"{x.dtype} tensor" if isinstance(x, Tensor) else type(x).__name__
        raise DataError(f"The transform made a {kind} of {name}. It returns a tensor of floats, {shape}.")
    return x


Made = tuple[Images | Sounds, dict[str, str | int | float | bool | None], tuple[str, ...]]


def _images(own: Contents, asked: Asked) -> Made:
    if asked.sample_rate is not None or asked.seconds is not None:
        raise DataError("sample_rate and seconds are for sounds, and the rows are images. Leave them out.")
    known = known_transform(asked.arch) if asked.arch and asked.transform is None else None
    chosen = image_transform(asked.transform or known, image_size=asked.image_size)
    found = image_file.survey(own)
    notes, smallest = found.notes, found.smallest
    if known:
        told = (
            f"the images were transformed as published for {asked.arch}; give --transform if it was trained otherwise"
        )
        notes = (*notes, told)
    size = chosen.image_size
    if size is not None and asked.image_size is None and smallest is not None and min(smallest) != size:
        wide, high = smallest
        notes = (
            *notes,
            f"images were scaled to {size} × {size} pixels, since --image-size was not given; the smallest has {wide} "
            f"× {high}, and a model that was trained on another size sees other things in them",
        )
    count, share = found.cut
    if size is not None and share >= LEAST_CUT:
        told = f"{count:,} of {len(own):,} images are" if FEW <= count <= len(own) - FEW else "some images are"
        told = "the images are" if count == len(own) else told
        notes = (
            *notes,
            f"{told} no squares, and the centre square alone was seen: {share:.0%} of the pixels of these were cut off "
            "at their ends, on average; give a transform of your own if the model was trained on all of them",
        )
    return Images(own, chosen), {"transform": chosen.name, "image_size": size}, notes


def _sounds(own: Contents, asked: Asked) -> Made:
    if asked.image_size is not None or asked.transform in NORMALISATION:
        raise DataError(
            "image_size and the transforms imagenet, half and unit are for images, and the rows are sounds. Leave "
            "them out, or give a factory as package.module:factory or file.py:factory."
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
