"""WebDataset archives: a tar file, or a folder of them, with an image or a sound and its labels for each key."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from audit.data.cells import Written
from audit.data.files.parts import part_of_name
from audit.data.files.table_file import SPLIT
from audit.data.files.tar_file import read_tars
from audit.data.labelled import LabelledData, Part
from audit.data.sources.file_rows import Asked, rows
from audit.errors import DataError


def load(path: str | os.PathLike[str], part: Part, **given: object) -> LabelledData:
    """Open a `.tar` file, or a folder of them, whose names tell the part: `train-0000.tar`, `val-0000.tar`.

    Args:
        part: By the names of the archives, or by a label `split`; all rows without either.
        given: Options of audit.data.sources.file_rows.Asked; `image` or `audio` is an extension here, for instance
            `jpg`, where samples hold several files.

    Raises DataError as audit.data.files.tar_file does, and as a folder of images does.
    """
    path = Path(path)
    asked = Asked.of(given, path.name, without=("class_folders", "data_root"))
    paths = sorted(one for one in path.rglob("*.tar") if one.is_file()) if path.is_dir() else [path]
    inside = Path(os.path.realpath(path))
    for one in paths:
        if not asked.follow_links and not Path(os.path.realpath(one)).is_relative_to(inside):
            raise DataError(f"{one} is a link to a file outside the folder. If you made it, give --follow-links.")
    table, contents = read_tars(paths, asked.column)
    splits = [part_of_name(one.relative_to(path)) if path.is_dir() else None for one in paths]
    if SPLIT not in table.columns and all(splits):
        named = np.array(splits)[contents.places[:, 0]]
        note = f"the part of each row of {table.source} was told by the name of its archive"
        columns = {**table.columns, SPLIT: Written(pd.Series(named))}
        table = replace(table, columns=columns, notes=(*table.notes, note))
    return rows(path.resolve().name, table, contents, part, asked)
