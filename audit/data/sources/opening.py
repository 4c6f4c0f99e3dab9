"""Open a data source by its name, by its path, or by a factory of the user's."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from audit.data.files.remote import fetched, is_remote
from audit.data.files.suffixes import PLURAL
from audit.data.labelled import LabelledData, Part
from audit.data.sources.catalogue import (
    DATASETS,
    FILES_TABLE,
    FOLDER,
    METADATA,
    PATHS,
    SAVED,
    SAVED_DATASET,
    SHARDS,
    TABLE,
    TABLES,
    TAR,
    TARS,
    TEXTS,
)
from audit.errors import DataError, UnknownNameError, in_one_line
from audit.plugins import call, resolve, users_code

HUGGING_FACE = "hf:"
"""Begins the name of an architecture that brings a tokenizer (audit.model.huggingface), or of the hub's data."""
OF_FILES = ("image_size", "follow_links", "data_root", "sample_rate", "seconds", "frames", "clip_axes")
"""Options that mean nothing for a table of features."""


def open_data(
    name: str | os.PathLike[str], part: Part, options: Mapping[str, object], *, arch: str | None = None
) -> LabelledData:
    """Open a data source by its name, by its path, or by a factory that takes `part` and returns LabelledData.

    The source takes the options, for instance `rho` of digits, or `transform` of a folder of images; images are seen
    through the transform that was published with `arch`, and texts through its tokenizer, if no other is named.

    Raises UnknownNameError if there is no such source or option; DataError if files are missing, or the factory returns
    something else.
    """
    name = os.fspath(name)
    if name.startswith(HUGGING_FACE):
        hub = name.removeprefix(HUGGING_FACE)
        raise DataError(
            f"{name} is a data set of the hub, which is not downloaded by itself. Save it here, and name that folder: "
            f"datasets.load_dataset({hub!r}, split='test').save_to_disk('rows'), --data rows."
        )
    if "part" in options:
        raise DataError(f"The part of {name} is not for choice: here it is {part!r}. Leave 'part' out.")
    places = {option: one for option, one in options.items() if option == "data_root" and is_remote(str(one))}
    options = {**options, **{option: str(fetched(str(one))) for option, one in places.items()}}
    came_from = [one for one in (name, *map(str, places.values())) if is_remote(one)]
    name = str(fetched(name)) if is_remote(name) else name
    factory, of_files = _factory(name, options)
    if "text" in options and arch and arch.startswith(HUGGING_FACE):
        options = {"tokenizer": arch.removeprefix(HUGGING_FACE), **options}
    if of_files and arch:
        options = {**options, "arch": arch}
    with users_code(name, DataError):
        try:
            data = call(factory, {"part": part, **options}, name)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{name} cannot be opened with {dict(options)}: {in_one_line(error)}. Change its options."
            ) from None
    if not isinstance(data, LabelledData):
        raise DataError(
            f"{name} returned a {type(data).__name__}. A data factory returns what irene.labelled(...) makes."
        )
    schemes = ", ".join(dict.fromkeys(one.partition("//")[0] + "//" for one in came_from))
    note = f"the rows were copied from {schemes} to this machine for this run"
    return replace(data, notes=(*data.notes, note)) if came_from else data


def _factory(name: str, options: Mapping[str, object]) -> tuple[Callable[..., object], bool]:
    """Return what opens a source, and whether its rows are files."""
    path = Path(name)
    if name in DATASETS or (":" in name and not path.exists()):
        return cast(Callable[..., object], resolve(name, "data source", DATASETS)), False
    if path.suffix.lower() == TAR and path.is_file():
        return partial(resolve(TARS, "data source"), path), True
    if path.is_dir():
        if any((path / one).is_file() for one in SAVED):
            return partial(resolve(SAVED_DATASET, "data source"), path), True
        has_metadata = any((path / one).is_file() for one in METADATA)
        shards = {".parquet": SHARDS, TAR: TARS}
        kinds = [] if has_metadata else [kind for kind in shards if _holds(path, kind)]
        source = shards[kinds[0]] if len(kinds) == 1 and "class_folders" not in options else FOLDER
        return partial(resolve(source, "data source"), path), True
    if path.suffix.lower() in TABLES and path.is_file():
        of_files = any(kind in options for kind in PLURAL)
        stray = [one for one in OF_FILES if one in options]
        if stray and not of_files and "features" not in options:
            option = stray[0].replace("_", "-")
            raise DataError(
                f"--{option} is for images, sounds or clips, and no column of {path.name} is named that holds them. "
                "Name it with --image, --audio or --video, or leave the option out."
            )
        if "text" in options:
            return partial(resolve(TEXTS, "data source"), path), False
        return partial(resolve(FILES_TABLE if of_files else TABLE, "data source"), path), of_files
    if path.exists() or path.suffix or len(path.parts) > 1 or name.endswith(("/", "\\")):
        fact = "is no table or folder" if path.exists() else "does not exist"
        raise DataError(f"{name} {fact}. Give {PATHS[0]}, or {PATHS[1]}.")
    raise UnknownNameError("data source", name, [*DATASETS, *PATHS, "package.module:factory", "file.py:factory"])


def _holds(folder: Path, suffix: str) -> bool:
    return any(one.name not in METADATA for one in folder.rglob(f"*{suffix}"))
