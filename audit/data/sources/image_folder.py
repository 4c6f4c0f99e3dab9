"""A folder of images with a metadata file beside them: the Hugging Face image-folder convention."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from PIL import Image
from torch import Tensor

from audit.column_names import split_names
from audit.data.columns import label_columns
from audit.data.labelled import LabelledData, Part
from audit.data.sources.catalogue import METADATA, METADATA_FILES
from audit.data.sources.table import read_table, recorded, rows_of
from audit.data.transforms import image_transform
from audit.errors import DataError, UnreadableError, in_one_line

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""Formats that are decoded; PostScript, which Pillow would hand to an interpreter, is not among them."""


class Images:
    """RGB images of a folder, decoded when they are asked for."""

    def __init__(self, folder: Path, names: Sequence[str], transform: Callable[[Image.Image], object]) -> None:
        self._folder, self._names, self._transform = folder, names, transform

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, row: int, /) -> Tensor:
        """Return one image as the transform makes it, (3, h, w). Raises UnreadableError if it is missing or broken."""
        path = self._folder / self._names[row]
        try:
            with Image.open(path, formats=FORMATS) as image:
                rgb = image.convert("RGB")
        except Exception as error:  # a broken image fails in as many ways as there are bytes
            raise UnreadableError(
                f"Cannot read the image {path}: {in_one_line(error)}. Restore it, or take its row out."
            ) from None
        x = self._transform(rgb)
        if not isinstance(x, Tensor) or not x.is_floating_point():
            kind = f"{x.dtype} tensor" if isinstance(x, Tensor) else type(x).__name__
            raise DataError(f"The transform made a {kind} of {path}. It returns a tensor of floats, (3, h, w).")
        return x


def load(
    path: str | os.PathLike[str],
    part: Part,
    *,
    transform: str | None = None,
    image_size: int | None = None,
    continuous: str | Sequence[str] = (),
    classes: str | Sequence[str] = (),
) -> LabelledData:
    """Open a folder with `metadata.csv`, `.jsonl` or `.parquet`: a row an image, by its path in `file_name`.

    Args:
        part: As of a table, and so are `continuous` and `classes`.
        transform: What the model was trained on: `imagenet`, `half`, `unit`, or a factory; see audit.data.transforms.
        image_size: Side of the square that the model sees, in pixels; by default 224.

    Raises DataError if metadata, its `file_name` or a transform is missing, or a path leaves the folder.
    """
    path = Path(path)
    metadata = _metadata(path)
    source = f"{path.resolve().name}/{metadata.name}"
    frame = read_table(metadata)
    if "file_name" not in frame:
        raise DataError(f"No `file_name` column in {metadata}. Add one with each image's path inside {path}.")
    chosen = image_transform(transform, image_size=image_size)
    names = [_inside(name, row, metadata) for row, name in enumerate(frame["file_name"].tolist(), 1)]
    kinds = {"continuous": split_names(continuous), "classes": split_names(classes)}
    columns, notes = label_columns(
        {str(name): values for name, values in frame.items() if name != "file_name"}, source=source, **kinds
    )
    rows, part_notes = rows_of(frame, part, source=source)
    return LabelledData(
        name=path.resolve().name,
        inputs=Images(path, [names[row] for row in rows], chosen.apply),
        columns={name: column.take(rows) for name, column in columns.items()},
        options={"part": part, "transform": chosen.name, "image_size": chosen.image_size, **recorded(kinds)},
        notes=notes + part_notes,
    )


def _metadata(folder: Path) -> Path:
    found = [folder / name for name in METADATA if (folder / name).is_file()]
    if not found:
        raise DataError(f"No {METADATA_FILES} in {folder}. Add one with `file_name` and the labels.")
    if len(found) > 1:
        raise DataError(f"{folder} holds both {found[0].name} and {found[1].name}. Keep one of them.")
    return found[0]


def _inside(name: object, row: int, metadata: Path) -> str:
    if not isinstance(name, str | int):
        raise DataError(f"Row {row} of {metadata} has no `file_name`. Name its image, or take the row out.")
    path = PurePath(str(name))
    if path.anchor or ".." in path.parts:
        raise DataError(f"Row {row} of {metadata} names {str(name)!r}, outside the folder. Give a path inside it.")
    return str(name)
