"""Representations that some model made, as files and Python hold them: one vector of finite floats for each row."""

from collections.abc import Mapping
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from audit.data.in_python.index import index_of, one_index
from audit.data.in_python.values import as_array, side_by_side
from audit.data.labelled import LabelledData, require_labelled
from audit.data.on_disk import blocks
from audit.errors import DataError, first_line

Layer = NDArray[np.floating]
"""(n, d)."""
BLOCK = 2**22
"""Numbers that are checked in one go, so that a file larger than memory can be checked."""


def given_layers(layers: object, data: LabelledData) -> dict[str, Layer]:
    """Return representations as Python holds them, arrays, tensors, frames or lists, as arrays of floats, (n, d) each.

    Args:
        layers: Representations by the name of their layer.
        data: Their labels, n.

    Raises DataError for what is no mapping, no numbers, not finite, or not one vector a row in the order of the labels.
    """
    if not isinstance(layers, Mapping) or not layers:
        given = "without a layer" if isinstance(layers, Mapping) else f"a {type(layers).__name__}"
        raise DataError(
            f"The representations are {given}. Give them by the name of their layer, with the labels "
            "beside them: irene.audit_embeddings({'z': z}, irene.labelled(z, {'gender': gender}), private='gender')."
        )
    require_labelled(data)
    one_index({"the labels": data.index} | {f"layer {name!r}": index_of(one) for name, one in layers.items()})
    found = {}
    for name, given in layers.items():
        if not isinstance(name, str):
            raise DataError(f"The name of a layer is {name!r}. Give a text.")
        layer = vectors(name, _floats(name, given), "what was given")
        if len(layer) != len(data):
            turned = f"; if they stand in columns, give {name}.T" if layer.shape[1] == len(data) else ""
            raise DataError(
                f"Layer {name!r} has {len(layer)} rows of {layer.shape[1]} numbers and there are labels of {len(data)} "
                f"rows. Give one vector for each, in the same order{turned}."
            )
        require_finite(name, layer, "what was given")
        found[name] = layer
    return found


def vectors(name: str, array: NDArray[np.generic], source: object) -> Layer:
    """Return an array as a layer; raise a DataError if it is no float for each feature of each row."""
    if array.ndim == 0:
        raise DataError(
            f"{name!r} of {source} is a single number: no vectors of rows, and no labels of theirs. Leave it out."
        )
    if array.ndim != 2:
        raise DataError(
            f"Array {name!r} of {source} has {array.ndim} dimensions. Give one vector a row, (rows, features); "
            "maps and tokens can be averaged."
        )
    if array.dtype.kind == "f" and not array.size:
        raise DataError(f"Array {name!r} of {source} is {[*array.shape]}: it holds no numbers. Give rows of features.")
    if array.dtype.kind != "f":
        raise DataError(f"Array {name!r} of {source} is {[*array.shape]} of {array.dtype}. Save features as floats.")
    return cast(Layer, array)


def require_finite(name: str, layer: Layer, source: object) -> None:
    """Raise a DataError that names the first row that is not finite in float32, in which attackers compute."""
    largest = np.finfo(np.float32).max
    before = 0
    for rows in blocks(layer, max(1, BLOCK // layer.shape[1])):
        broken = ~(np.abs(rows) <= largest)  # NaN compares as false
        if broken.any():
            row = before + int(np.flatnonzero(broken.any(axis=1))[0])
            raise DataError(f"{name!r} in {source} has NaN or infinity in row {row + 1}. Take such rows out.")
        before += len(rows)


def _floats(name: str, given: object) -> NDArray[np.generic]:
    """Return what Python holds as an array; whole numbers become floats, and floats stay as they are."""
    try:
        if isinstance(given, Tensor):
            given = as_array(given)
        elif isinstance(given, pd.DataFrame):
            given = given.to_numpy(dtype=None if all(isinstance(one, np.dtype) for one in given.dtypes) else np.float64)
        elif isinstance(given, np.ma.MaskedArray):
            given = np.ma.filled(given.astype(np.float64), np.nan)
        given = side_by_side(given)
        array: NDArray[np.generic] = given if isinstance(given, np.ndarray) else np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, words, a tensor without numbers
        raise DataError(
            f"Layer {name!r}, a {type(given).__name__}, is no array: {first_line(error).rstrip('.')}. Give floats, one "
            "vector of the same length a row."
        ) from None
    return array.astype(np.float64) if array.dtype.kind in "biu" else array
