"""The rows of a `datasets.Dataset` of Hugging Face."""

from collections.abc import Mapping, Sequence
from typing import Any

from audit.data.in_python.items import of_items
from audit.data.in_python.values import Named, Rows, named_parts
from audit.errors import DataError


def is_hugging_face(inputs: object) -> bool:
    """Return whether something is one, without an import of that package."""
    return any(kind.__module__ == "datasets.arrow_dataset" for kind in type(inputs).__mro__)


def of_hugging_face(dataset: Any, columns: Named) -> Rows:
    """Return the labels of a `datasets.Dataset` by their names, and its rows as its format or PyTorch's makes them."""
    names = () if isinstance(columns, Mapping) else named_parts(columns, dataset.column_names)
    features = dataset.features
    plain = dataset.with_format(None)
    labels = {name: _named_classes(list(plain[name]), getattr(features[name], "names", None)) for name in names}
    if dataset.format["type"] is None:
        rest = [name for name in dataset.column_names if name not in names]
        encoded = [name for name in rest if type(features[name]).__name__ in ("Image", "Audio", "Video")]
        if encoded:
            raise DataError(
                f"Column {encoded[0]!r} of the dataset holds files, and nothing says how a model sees them. Give "
                "dataset.with_transform(function), whose rows hold tensors."
            )
        rest = [name for name in rest if getattr(features[name], "dtype", "") not in ("string", "large_string")]
        if not rest:
            raise DataError("No column of the dataset beside the labels holds numbers. Tokenize its texts first.")
        dataset = dataset.with_format("torch", columns=rest)
    return of_items(dataset, columns if isinstance(columns, Mapping) else labels, leave=names)


def _named_classes(cells: list[Any], names: Sequence[str] | None) -> list[Any]:
    """Return the names of classes that are kept as their numbers; -1 is none."""
    return cells if names is None else [None if one is None or one < 0 else names[one] for one in cells]
