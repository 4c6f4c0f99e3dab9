"""The rows of a DataLoader, in the order of its dataset."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils import data as torch_data

from audit.data.in_python.values import ByFunction
from audit.errors import DataError


def of_loader(loader: torch_data.DataLoader[Any]) -> tuple[object, tuple[str, ...]]:
    """Return a loader's rows in the order of its dataset, as its collate_fn makes them."""
    dataset, collate, sampler = loader.dataset, loader.collate_fn, loader.sampler
    own_batches = loader.batch_sampler is not None and type(loader.batch_sampler) is not torch_data.BatchSampler
    rows: Sequence[int] = range(len(dataset))  # type: ignore[arg-type]
    notes: tuple[str, ...] = ()
    if type(sampler) is torch_data.SubsetRandomSampler and not own_batches:
        rows = sorted(map(int, sampler.indices))
        notes = (f"of the {len(dataset):,} rows of the loader's dataset its sampler named {len(rows):,}",)  # type: ignore[arg-type]
    elif own_batches or type(sampler) not in (torch_data.SequentialSampler, torch_data.RandomSampler):
        name = type(loader.batch_sampler if own_batches else sampler).__name__
        raise DataError(
            f"The loader's {name} chooses rows, and may take one twice or never. Give the rows that you mean: "
            "irene.labelled(torch.utils.data.Subset(loader.dataset, rows), columns)."
        )
    if type(sampler) is not torch_data.SequentialSampler:
        notes = (*notes, "the loader shuffles; its rows were taken in the order of its dataset")
    is_default = collate is torch_data.default_collate or loader.batch_size is None

    def read(row: int) -> object:
        item = dataset[rows[row]]
        return item if is_default else _unbatched(collate([item]))

    if is_default and len(rows) == len(dataset):  # type: ignore[arg-type]
        return dataset, notes
    return ByFunction(len(rows), read), notes


def _unbatched(batch: object) -> object:
    """Return the only row of a batch."""
    if isinstance(batch, Tensor | np.ndarray):
        return batch[0]
    if isinstance(batch, Mapping):
        return {name: _unbatched(one) for name, one in batch.items()}
    if isinstance(batch, tuple) or (isinstance(batch, list) and any(isinstance(one, Tensor | list) for one in batch)):
        return tuple(_unbatched(one) for one in batch)
    return batch[0] if isinstance(batch, list) and len(batch) == 1 else batch
