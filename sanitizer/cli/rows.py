"""The rows that `irene sanitize` is given beside those of --data: unlabelled ones, and embeddings of either kind."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit.cli.options import ModelOptions, SourceOptions
from audit.column_names import split_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audit.data.labelled import LabelledData


def unlabelled_rows(given: Mapping[str, Any], checkpoint: Path) -> "LabelledData | None":
    """Open what --unlabelled names as --data is opened, its rows of the split `train`; None if nothing is named.

    A table that is encoded by its own rows has to be that of --data: another would be encoded otherwise.
    """
    from audit.data.sources.table import ENCODING
    from audit.errors import DataError, UnknownNameError

    source, arch = SourceOptions.of(given), ModelOptions.of(given).architecture(checkpoint)
    if (name := given["unlabelled"]) is None:
        return None
    own = replace(source, data=name, group=None)
    try:
        found = own.open("train", arch)
    except UnknownNameError:  # columns that only labelled rows have may be named as numbers or classes
        found = _without_labels(own, given).open("train", arch)
    is_other = Path(name).resolve() != Path(str(source.data)).resolve()
    if found.options.get("encoding") == ENCODING and is_other:
        raise DataError(
            f"{name} would be encoded by its own rows, and the labelled ones by theirs. Put both into one table, with "
            "empty cells where a label is missing, and name it twice; or give a --transform."
        )
    return found.grouped_by(source.group) if source.group and source.group in found.columns else found


def unlabelled_vectors(given: Mapping[str, Any], subject: Path, layer: str) -> "LabelledData | None":
    """Read the embeddings that --unlabelled names, of that layer or their only one; None if nothing is named.

    Where a column `split` says it, these are the rows of `train`.
    """
    from audit.data.parts import SPLIT, PartRule
    from audit.errors import UnknownNameError

    if given["unlabelled"] is None:
        return None
    path = Path(given["unlabelled"])
    table = given["table"] if path.resolve() == subject.resolve() else None
    own = {**given, "layer": layer, "unlabelled": None}
    try:
        found = layer_of(own, path, table, is_unlabelled=True)[2]
    except UnknownNameError:
        source = _without_labels(SourceOptions.of(given), given)
        own |= {"continuous": source.continuous, "classes": source.classes}
        found = layer_of(own, path, table, is_unlabelled=True)[2]
    rule = PartRule.of(found, given["seed"])
    return found.take(rule.rows(found, "train")) if rule.by == SPLIT else found


def layer_of(
    given: Mapping[str, Any], path: Path, table: Path | None, *, is_unlabelled: bool = False
) -> "tuple[str, NDArray[np.floating], LabelledData]":
    """Read the layer of embeddings that is released: its name, its vectors, (n, d), and their labels.

    Unlabelled ones may hold no labels, and no column of the group.
    """
    from audit.data.sources.embeddings import LayerRows, read_embeddings
    from audit.errors import UnknownNameError

    source = SourceOptions.of(given)
    found = read_embeddings(
        path,
        table=table,
        continuous=source.continuous or (),
        classes=source.classes or (),
        missing=source.missing,
        may_lack_labels=is_unlabelled,
    )
    names = [given["layer"]] if given["layer"] else [*found.layers]
    names = [*found.layers] if is_unlabelled and len(found.layers) == 1 else names
    if names[0] not in found.layers:
        raise UnknownNameError(f"layer of {path.name}", names[0], found.layers)
    if len(names) > 1:
        raise click.UsageError(f"{path} holds {', '.join(names)}. Name the one that is released with --layer.")
    values = found.layers[names[0]]
    is_grouped = source.group and (source.group in found.data.columns or not is_unlabelled)
    data = found.data.grouped_by(str(source.group)) if is_grouped else found.data
    return names[0], values, replace(data, inputs=LayerRows(values))


def _without_labels(source: SourceOptions, given: Mapping[str, Any]) -> SourceOptions:
    """Return the options without what they say of the columns that unlabelled rows may lack."""
    labels = {given["task"], given["group"], given["keep_identity"], *given["private"], *given["keep"]}

    def left(names: str | None) -> str | None:
        return ",".join(one for one in split_names(names or ()) if one not in labels) or None

    return replace(source, continuous=left(source.continuous), classes=left(source.classes))
