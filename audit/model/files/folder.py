"""A folder as the Hugging Face hub, Lightning and others lay it out: which of its files are the model."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from audit.errors import CheckpointError, listed
from audit.file_limits import opened, read_json_bytes, require_regular

WHOLE = ("model.safetensors", "pytorch_model.bin", "diffusion_pytorch_model.safetensors")
INDEX = ".index.json"
SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".pt2", ".onnx")
NOT_WEIGHTS = frozenset({"training_args.bin", "optimizer.pt", "scheduler.pt", "optimizer.bin", "scaler.pt"})
"""What a training leaves beside a model."""
SHARD = re.compile(r"-\d{5}-of-\d{5}\.")
"""In the name of one of several files that hold a model."""
MOST_SHARDS = 1000
OTHERS = {
    "saved_model.pb": "a SavedModel of TensorFlow: convert it to ONNX, which irene audits: python -m tf2onnx.convert",
    "Manifest.json": "a Core ML package: take the model that it was converted from",
    ".metadata": "a distributed checkpoint of torch: join it first: python -m "
    "torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER model.pt",
    "zero_to_fp32.py": "a checkpoint of DeepSpeed: join it first, by its own zero_to_fp32.py",
    "_CHECKPOINT_METADATA": "a checkpoint of JAX (Orbax): save the weights of the same net in PyTorch",
    "0_Transformer": "of sentence-transformers, an old layout: move the files of 0_Transformer up, beside modules.json",
    "checkpoint": "a checkpoint of TensorFlow: convert the model to ONNX, which irene audits",
}
"""Files by which a folder is told for what it is, and the way out."""
ADAPTER = (
    "{} is a LoRA adapter without its model. Name the folder of the model: --arch hf:FOLDER. Or put it into the model "
    "and save that: peft.PeftModel.from_pretrained(base, folder).merge_and_unload().save_pretrained('merged')."
)


def model_files(folder: Path) -> tuple[Path, ...]:
    """Return the file of a folder that holds the model, or its shards behind their index.

    Raises CheckpointError if there is none, or several, or one that lies elsewhere.
    """
    held = {path.name: path for path in folder.iterdir()}
    found = next((held[name] for name in WHOLE if name in held), None)
    index = next((held[name] for name in sorted(held, key=_preferred) if name.endswith(INDEX)), None)
    if found is None and index is not None:
        return index, *_shards(folder, index)
    if found is None and "adapter_config.json" in held:
        raise CheckpointError(ADAPTER.format(folder))
    alone = [p for name, p in sorted(held.items()) if p.suffix in SUFFIXES and name not in NOT_WEIGHTS]
    if found is None and len(alone) == 1:
        found = alone[0]
    if found is None and (other := next((what for name, what in OTHERS.items() if name in held), None)):
        raise CheckpointError(f"{folder} is {other}.")
    if found is None and (part := next((path.name for path in alone if SHARD.search(path.name)), None)):
        raise CheckpointError(
            f"{folder} holds parts of one model, such as {listed([part])}, and not the list of what is in which. Copy "
            f"the file that ends in {INDEX} beside them."
        )
    if found is None:
        several = f"several models ({listed([path.name for path in alone], 8)})" if alone else "no model"
        raise CheckpointError(f"{folder} holds {several}. Name one file.")
    require_inside(folder, found)
    own = held.get(f"{found.name}{INDEX}")
    if own is not None:
        raise CheckpointError(
            f"{folder} holds a model in {found.name}, and one in parts by {own.name}. Name the file ({found}), or take "
            "the one away that is not meant."
        )
    return (found,)


def not_read(folder: Path, taken: str) -> str | None:
    """Say what else a folder holds the model in, of which one file was taken by its name; None if nothing."""
    others = sorted(p.name for p in folder.iterdir() if p.name.removesuffix(INDEX) in WHOLE and p.name != taken)
    return f"the weights are those of {taken}; not read was {listed(others)} beside it" if others else None


def _preferred(name: str) -> tuple[bool, str]:
    """Order names of indices: first that of safetensors, as transformers does."""
    return ".safetensors" not in name, name


def _shards(folder: Path, index: Path) -> tuple[Path, ...]:
    """Return the shards of an index by name; a CheckpointError if it is none, or one is not beside it."""
    try:
        content = json.loads(read_json_bytes(index))
        names = content["weight_map"].values()
        shards = sorted({str(name) for name in names})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(f"{index} is no list of a model's parts. Copy the folder again.") from None
    if len(shards) > MOST_SHARDS or not shards:
        raise CheckpointError(f"{index} names {len(shards):,} files; 1 to {MOST_SHARDS:,} are read.")
    for name in shards:
        if Path(name).name != name or name in ("", ".", "..") or "\\" in name or "\0" in name:
            raise CheckpointError(f"{index} names {listed([name])!r}, which is no file in its folder.")
        if not (folder / name).is_file():
            raise CheckpointError(f"{index} names {listed([name])!r}, which is not there. Copy the folder again.")
        require_inside(folder, folder / name)
    return tuple(folder / name for name in shards)


def require_inside(folder: Path, path: Path) -> None:
    """Refuse a link out of a folder; the hub's own cache keeps files in `blobs`, two folders above."""
    require_regular(path)
    real = path.resolve()
    homes = [folder.resolve(), folder.resolve().parents[1] / "blobs" if len(folder.resolve().parents) > 1 else None]
    if not any(home is not None and real.is_relative_to(home) for home in homes):
        raise CheckpointError(f"{path} is a link out of its folder. Name the file that it leads to.")


def sha256_of(paths: Sequence[Path]) -> str:
    """Return the SHA-256 over several files, one after the other, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        with opened(path) as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()
