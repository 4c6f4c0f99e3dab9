"""CelebA from its official files: faces, 40 attributes, identities and the people-disjoint partition."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from audit.data import Column, LabelledData, Part
from audit.errors import DataError

PARTITIONS = {"train": (0,), "audit": (1, 2)}
"""The official train partition shapes models; validation and test people are for the attackers."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Faces:
    """Aligned faces, cut to a square, resized and normalised by ImageNet's mean and deviation."""

    def __init__(self, folder: Path, names: list[str], size: int) -> None:
        from torchvision.transforms import v2  # noqa: PLC0415 - torchvision takes a second to import

        self._folder, self._names = folder, names
        self._transform = v2.Compose(
            [
                v2.PILToTensor(),
                v2.Resize(size),
                v2.CenterCrop(size),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(MEAN, DEVIATION),
            ]
        )

    def __len__(self) -> int:
        """Return n."""
        return len(self._names)

    def __getitem__(self, row: int, /) -> Tensor:
        """Return one face, (3, size, size).

        Raises:
            DataError: The image is missing or broken.
        """
        path = self._folder / self._names[row]
        try:
            with Image.open(path) as image:
                face: Tensor = self._transform(image.convert("RGB"))
        except (OSError, UnidentifiedImageError) as error:
            raise DataError(f"Cannot read the image {path}: {error}. Restore it, or take its row out.") from None
        return face


def load(part: Part, *, data_root: str = "data/celeba", image_size: int = 224) -> LabelledData:
    """Open CelebA's rows with all 40 attributes as columns, grouped by person.

    Args:
        part: `train` is the official training partition, `audit` validation and test together.
        data_root: Folder with `img_align_celeba/`, `list_attr_celeba.txt`, `list_eval_partition.txt`
            and `identity_CelebA.txt`.
        image_size: Side of the square that the model sees, in pixels.

    Raises:
        DataError: A file is missing or not in the official format.
    """
    if not isinstance(image_size, int) or image_size < 1:
        raise DataError(f"image_size is {image_size!r}; it is a side in pixels. Give a whole number, for instance 64.")
    root = Path(data_root)
    attributes = _table(root / "list_attr_celeba.txt", {-1, 1}, header=1)
    partition = _table(root / "list_eval_partition.txt", {0, 1, 2})[1].reindex(attributes.index)
    identity = _table(root / "identity_CelebA.txt")[1].reindex(attributes.index)
    if partition.isna().any() or identity.isna().any():
        raise DataError(f"The lists in {root} name different images. Take all of them from one release.")
    chosen = partition.isin(PARTITIONS[part]).to_numpy()
    return LabelledData(
        name="celeba",
        inputs=Faces(root / "img_align_celeba", list(attributes.index[chosen]), image_size),
        columns={
            str(name): Column((attributes[name].to_numpy()[chosen] == 1).astype(np.int64), ("no", "yes"))
            for name in attributes.columns
        },
        group=identity.to_numpy()[chosen].astype(np.int64),
        group_name="person",
        options={"part": part, "image_size": image_size},
    )


def _table(path: Path, values: set[int] | None = None, *, header: int | None = None) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"No {path.name} in {path.parent}. Give the folder of CelebA's files with --data-root.")
    try:
        table = pd.read_csv(path, sep=r"\s+", header=header, index_col=0)
    except (ValueError, pd.errors.ParserError) as error:
        fact = " ".join(str(error).split())  # pandas ends its lines
        raise DataError(f"{path} is not in CelebA's format: {fact}. Take the official file.") from None
    numbers = all(kind.kind == "i" for kind in table.dtypes)
    if not numbers or table.empty or not table.index.is_unique or (values and not table.isin(values).all(axis=None)):
        told = f"one of {sorted(values)}" if values else "a number"
        raise DataError(f"{path} is not in CelebA's format: not every image has {told}. Take the official file.")
    return table
