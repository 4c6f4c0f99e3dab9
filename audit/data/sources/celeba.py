"""CelebA from its official files: faces, 40 attributes, identities and the people-disjoint partition."""

from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from audit.data import transforms
from audit.data.columns import Column
from audit.data.files.contents import InFolder, links_out
from audit.data.labelled import LabelledData, Part
from audit.data.sources.file_rows import Images
from audit.errors import DataError, in_one_line
from audit.file_limits import require_plausible

PARTITIONS = {"train": (0,), "audit": (1, 2)}
"""The official train partition shapes models; validation and test people are for the attackers."""
MEAN, DEVIATION = transforms.MEAN, transforms.DEVIATION


def load(
    part: Part, *, data_root: str = "data/celeba", image_size: int = 224, follow_links: bool = False
) -> LabelledData:
    """Open CelebA's rows with all 40 attributes as columns, grouped by person; validation and test people are `audit`.

    Args:
        data_root: Folder with `img_align_celeba/` and the official lists of attributes, partition and identity.
        image_size: Side of the square that the model sees, in pixels, normalised by ImageNet's mean and deviation.
        follow_links: As of a folder of images.
    """
    transform = transforms.image_transform("imagenet", image_size=image_size)
    root = Path(data_root)
    attributes = _table(root / "list_attr_celeba.txt", {-1, 1}, header=1)
    partition = _table(root / "list_eval_partition.txt", {0, 1, 2})[1].reindex(attributes.index)
    identity = _table(root / "identity_CelebA.txt")[1].reindex(attributes.index)
    if partition.isna().any() or identity.isna().any():
        raise DataError(f"The lists in {root} name different images. Take all of them from one release.")
    folder = root / "img_align_celeba"
    if any(PurePath(name).name != name for name in map(str, attributes.index)):
        raise DataError(f"The lists in {root} name images outside {folder.name}. Take the official files.")
    chosen = partition.isin(PARTITIONS[part]).to_numpy()
    own = [str(name) for name in attributes.index[chosen]]
    return LabelledData(
        name="celeba",
        inputs=Images(InFolder(folder, own, folder.name), transform),
        columns={
            str(name): Column((attributes[name].to_numpy()[chosen] == 1).astype(np.int64), ("no", "yes"))
            for name in attributes.columns
        },
        group=identity.to_numpy()[chosen].astype(np.int64),
        group_name="person",
        options={"part": part, "image_size": image_size},
        notes=links_out(folder, own, follow=follow_links),
    )


def _table(path: Path, values: set[int] | None = None, *, header: int | None = None) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"No {path.name} in {path.parent}. Give the folder of CelebA's files with --data-root.")
    try:
        require_plausible(path.stat().st_size, path.stat().st_size)
        table = pd.read_csv(path, sep=r"\s+", header=header, index_col=0)
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path} is not in CelebA's format: {in_one_line(error)}. Take the official file.") from None
    numbers = all(kind.kind == "i" for kind in table.dtypes)
    if not numbers or table.empty or not table.index.is_unique or (values and not table.isin(values).all(axis=None)):
        wanted = f"one of {sorted(values)}" if values else "a number"
        raise DataError(f"{path} is not in CelebA's format: not every image has {wanted}. Take the official file.")
    return table
