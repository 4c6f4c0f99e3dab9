"""A table with a column of texts, which a model takes as its tokenizer's tokens."""

import os
from collections.abc import Sequence
from pathlib import Path

from audit.data.files.table_file import read_table
from audit.data.files.tokens import tokenized
from audit.data.labelled import LabelledData, Part
from audit.data.sources.table import Said, others, rows_of
from audit.errors import DataError, UnknownNameError


def load(
    path: str | os.PathLike[str],
    part: Part,
    *,
    text: str,
    tokenizer: str | None = None,
    continuous: str | Sequence[str] = (),
    classes: str | Sequence[str] = (),
    missing: str | Sequence[str] | None = None,
) -> LabelledData:
    """Open a .csv, .tsv, .jsonl or .parquet file with texts: rows of input_ids, attention_mask, … by name, (t,) each.

    Args:
        part: `train` is the rows whose `split` is `train`, `audit` all others; all rows without such a column.
        text: The column of the texts; every other is a label.
        tokenizer: A local folder of a model in the form of Hugging Face, or its name on the hub; the model's own if it
            is one.
        continuous: Columns to treat as numbers.
        classes: Columns of many whole numbers to treat as classes.
        missing: Words that mean missing beside the empty cell; by default `?` alone.

    Raises DataError if the file is no table, or there is no tokenizer; UnknownNameError if there is no such column.
    """
    path = Path(path)
    table = read_table(path)
    if text not in table.columns:
        raise UnknownNameError(f"column of texts of {path.name}", text, table.columns)
    if tokenizer is None:
        raise DataError(
            f"Nothing says how the texts of {path.name} become tokens. Name the folder of the model's tokenizer with "
            "--tokenizer."
        )
    said = Said.of(continuous, classes, missing)
    columns, notes = said.read({name: cells for name, cells in table.columns.items() if name != text}, path.name)
    rows, part_notes = rows_of(table, part)
    cells = table.text(text)
    inputs, told = tokenized([cells[row] for row in rows], tokenizer, column=text)
    return LabelledData(
        name=path.name,
        inputs=inputs,
        columns={name: column.take(rows) for name, column in columns.items()},
        others=others(columns, table, rows),
        options={"part": part, "text": text, **said.recorded()},
        notes=(*notes, *part_notes, *told),
    )
