"""Embeddings in several files: those of a folder, or those that a pattern such as `emb/*.parquet` names."""

import hashlib
import re
from collections.abc import Sequence
from glob import has_magic
from pathlib import Path

from audit.errors import DataError, listed

SUFFIXES = (".parquet", ".npz", ".npy")
MODEL = ("config.json", "state.json", "dataset_dict.json")
"""What lies in a folder that holds something else: a model, or rows with their inputs."""
LONGEST = 255
"""Letters of a file's name at most, so that a number in it has no more digits."""


def is_sharded(path: Path) -> bool:
    """Return whether a path stands for several files: a pattern, or a folder of embeddings."""
    if path.is_dir():
        return not any((path / name).exists() for name in MODEL) and any(map(_is_shard, path.iterdir()))
    return has_magic(path.name) and not path.exists() and path.suffix.lower() in SUFFIXES


def shards_of(path: Path) -> list[Path]:
    """Return the files, in the order of their names; raise a DataError if there are none, or of several kinds."""
    found = sorted(filter(_is_shard, path.iterdir() if path.is_dir() else path.parent.glob(path.name)))
    if not found:
        raise DataError(f"{path} names no file of embeddings. Give a pattern such as emb/*.parquet, or a folder.")
    kinds = sorted({one.suffix.lower() for one in found})
    if len(kinds) > 1:
        raise DataError(
            f"{path} holds files of several kinds, {' and '.join(kinds)}. Name one, for instance '{path}/*{kinds[0]}'."
        )
    return found


def require_one_order(path: Path) -> str:
    """Return a note on the order of the files; raise a DataError if their names have another one by their numbers."""
    found = [one.name for one in shards_of(path)]
    numbered = sorted(found, key=lambda name: re.sub("[0-9]+", lambda digits: digits[0].zfill(LONGEST), name))
    if numbered != found:
        first = next(place for place, (one, other) in enumerate(zip(found, numbered, strict=True)) if one != other)
        raise DataError(
            f"Rows of a table would go by the order of the files {path}, in which {found[first]} comes before "
            f"{numbered[first]}, and not in the order of their numbers. Rename the files so that these have as many "
            "digits each, or give files and table a column that differs in every row, such as an id."
        )
    return f"the files stand under each other by their names: {listed(found, 5)}"


def name_of(path: Path) -> str:
    """Return what embeddings are called in the evidence: the file's name, or folder and pattern."""
    return f"{path.parent.name}/{path.name}" if has_magic(path.name) and path.parent.name else path.name


def joint_sha256(digests: Sequence[str]) -> str:
    """Return a SHA-256 for several files, over those of each in order."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _is_shard(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
