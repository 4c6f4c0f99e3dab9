"""The order of a model's outputs, where the model's own configuration names the classes that they stand for."""

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from audit.data.class_order import in_words
from audit.data.columns import Column
from audit.data.labelled import LabelledData


def in_named_order(model: nn.Module, data: LabelledData, task: str | None) -> LabelledData:
    """Return the rows with the task's classes in the order of the model's `config.id2label`, with a note.

    The rows are returned as they are where somebody named an order, or the configuration names other classes than the
    rows have; small and capital letters are alike.
    """
    names = _names(model)
    column = data.columns.get(task) if task is not None else None
    if not names or task is None or not isinstance(column, Column) or task in data.ordered:
        return data
    own = {name.strip().casefold(): name for name in column.classes}
    if len(own) < len(column.classes) or not own.keys() <= set(names):
        return data
    order = [own.get(name, name) for name in names]
    note = f"the classes of {task!r} are in the order in which the model's configuration names them: {in_words(order)}"
    ordered = data.in_order(task, order)
    return replace(ordered, notes=(*ordered.notes, note))


def _names(model: nn.Module) -> list[str]:
    """Return the names of the outputs, in small letters; none where they are not named, or two alike."""
    labels = getattr(getattr(model, "config", None), "id2label", None)
    if not isinstance(labels, Mapping) or [*labels] != list(range(len(labels))):
        return []
    names = [str(name).strip().casefold() for name in labels.values()]
    return names if len({*names}) == len(names) else []
