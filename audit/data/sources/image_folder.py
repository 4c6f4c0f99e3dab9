"""A folder of images with a metadata file beside them: the Hugging Face image-folder convention."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePath, PureWindowsPath
from unicodedata import normalize

from torch import Tensor

from audit.data.cells import clean
from audit.data.labelled import LabelledData, Part
from audit.data.sources.catalogue import METADATA, METADATA_FILES
from audit.data.sources.image_file import as_rgb, read_image, survey
from audit.data.sources.table import Said, rows_of
from audit.data.sources.table_file import FILE_NAME, read_table
from audit.data.transforms import ImageTransform, image_transform
from audit.errors import DataError, UnreadableError, in_one_line


class Images:
    """RGB images of a folder, decoded when they are asked for."""

    def __init__(self, folder: Path, names: Sequence[str], transform: ImageTransform) -> None:
        self._folder, self._names, self._transform = folder, names, transform

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, row: int, /) -> Tensor:
        """Return one image as the transform makes it, (3, h, w). Raises UnreadableError if it is missing or broken."""
        path = self._folder / self._names[row]
        try:
            image = read_image(path)
        except DataError:
            raise
        except Exception as error:  # a broken image fails in as many ways as there are bytes
            raise UnreadableError(
                f"Cannot read the image {path}: {in_one_line(error)}. Restore it, or take its row out."
            ) from None
        x: object = self._transform.apply(image if self._transform.takes_deep else as_rgb(image))
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
    missing: str | Sequence[str] | None = None,
    follow_links: bool = False,
) -> LabelledData:
    """Open a folder with `metadata.csv`, `.jsonl` or `.parquet`: a row an image, by its path in `file_name`.

    Args:
        part: As of a table, and so are `continuous`, `classes` and `missing`.
        transform: What the model was trained on: `imagenet`, `half`, `unit`, or a factory; see audit.data.transforms.
        image_size: Side of the square that the model sees, in pixels; by default 224.
        follow_links: Also see images that are links to files outside the folder, as many caches keep them.

    Raises DataError if metadata, its `file_name` or a transform is missing, a path or link leaves the folder, no image
    is there, or an image's numbers have no known range.
    """
    path = Path(path)
    metadata = _metadata(path)
    links_out(path, [metadata.name], follow=follow_links)
    table = read_table(metadata, source=f"{path.resolve().name}/{metadata.name}")
    if FILE_NAME not in table.columns:
        raise DataError(f"No `file_name` column in {metadata}. Add one with each image's path inside {path}.")
    chosen = image_transform(transform, image_size=image_size)
    names = [_inside(name, row, metadata) for row, name in enumerate(table.as_written(FILE_NAME), 1)]
    said = Said.of(continuous, classes, missing)
    columns, notes = said.read(
        {name: cells for name, cells in table.columns.items() if name != FILE_NAME}, table.source
    )
    rows, part_notes = rows_of(table, part)
    own = [names[row] for row in rows]
    _require_one(own, int(rows[0]) + 1, metadata)
    links = links_out(path, own, follow=follow_links)
    return LabelledData(
        name=path.resolve().name,
        inputs=Images(path, own, chosen),
        columns={name: column.take(rows) for name, column in columns.items()},
        options={"part": part, "transform": chosen.name, "image_size": chosen.image_size, **said.recorded()},
        notes=notes + part_notes + links + survey(path / name for name in own),
    )


def _metadata(folder: Path) -> Path:
    found = [folder / name for name in METADATA if (folder / name).is_file()]
    if not found:
        raise DataError(f"No {METADATA_FILES} in {folder}. Add one with `file_name` and the labels.")
    if len(found) > 1:
        raise DataError(f"{folder} holds both {found[0].name} and {found[1].name}. Keep one of them.")
    return found[0]


def _inside(written: str, row: int, metadata: Path) -> str:
    """Return the path of an image inside the folder, as the disk spells it; see `_spellings`."""
    spellings = _spellings(written)
    if not spellings:
        raise DataError(f"Row {row} of {metadata} has no `file_name`. Name its image, or take the row out.")
    found = next((one for one in spellings if _is_file(metadata.parent / one)), spellings[-1])
    path = PurePath(found)
    if path.anchor or ".." in path.parts or ("\\" in found and PureWindowsPath(found).anchor):
        raise DataError(f"Row {row} of {metadata} names {clean(written)!r}, outside the folder. Give a path inside it.")
    return found


def links_out(folder: Path, names: Sequence[str], *, follow: bool) -> tuple[str, ...]:
    """Return what to say of files that links lead out of a folder; the folder may be a link itself.

    Raises DataError at the first if they are not to be followed.
    """
    root, parents = Path(os.path.realpath(folder)), dict[Path, Path]()
    outside = 0
    for path in (folder / name for name in names if _is_file(folder / name)):
        if path.parent not in parents:
            parents[path.parent] = Path(os.path.realpath(path.parent))
        real = parents[path.parent] / path.name
        real = Path(os.path.realpath(real)) if real.is_symlink() else real
        if not real.is_relative_to(root):
            outside += 1
            if not follow:
                name = str(path.relative_to(folder))
                raise DataError(
                    f"{name!r} in {folder} is a link to a file outside the folder. Copy it there, or, if you made the "
                    "links, follow them with --follow-links."
                )
    return (f"{outside:,} images are links to files outside {root.name}",) if outside else ()


def _spellings(written: str) -> list[str]:
    """Return what a file may be called that a cell names, the likeliest first; none if the cell is blank.

    First the name to the letter, then in either form of Unicode, as macOS and other systems write an umlaut, then
    without blanks around it; at last all of these with the backslashes of Windows as slashes.
    """
    name = clean(written)
    names = [one for given in (written, name) for one in (given, *(normalize(form, given) for form in ("NFC", "NFD")))]
    windows = [PureWindowsPath(one) for one in names if "\\" in one]
    return [*dict.fromkeys(names + [one.as_posix() for one in windows if not one.anchor])] if name else []


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the disk takes
        return False


def _require_one(names: Sequence[str], row: int, metadata: Path) -> None:
    if not any(_is_file(metadata.parent / name) for name in names):
        raise DataError(
            f"Row {row} of {metadata} names {names[0]!r}, which is no file in {metadata.parent}, and neither is any "
            "other. Give paths as they are inside the folder."
        )
