"""The evidence's description of a model, a live one or one from a file, or of representations without a model."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audit.atomic_write import sha256
from audit.data.labelled import LabelledData
from audit.data.on_disk import AT_ONCE, blocks
from audit.evidence import audit_result
from audit.file_limits import MOST_JSON, NotReadError, read_bounded
from audit.model import release
from audit.model.checkpoint import LoadedModel


def describe_checkpoint(loaded: LoadedModel) -> tuple[audit_result.Checkpoint, list[str]]:
    """Describe a loaded model, with notes that a reader of the evidence should know.

    A sanitizer leaves a record beside its checkpoint; it counts only if it names this very file.
    """
    sanitizing, notes = _record(loaded.path, loaded.sha256)
    notes = [*loaded.notes, *notes]
    return (
        audit_result.Checkpoint(
            file=loaded.path.name,
            sha256=loaded.sha256,
            architecture=loaded.architecture,
            parameters=sum(parameter.numel() for parameter in loaded.module.parameters()),
            format=loaded.format,
            weights_key=loaded.weights_key,
            pickle_ran=loaded.pickle_ran,
            sanitizing=sanitizing,
        ),
        notes,
    )


def is_as_loaded(loaded: LoadedModel) -> bool:
    """Return whether a module has the weights of its file still, and nothing that was put at its bottleneck since."""
    if loaded.weights is None:
        return True
    state, of_file = loaded.module.state_dict(), loaded.weights.tensors
    if any(name in release.KEYS and name not in of_file for name in state):
        return False
    return all(
        name in state and torch.equal(state[name].cpu(), value.to(state[name].dtype)) for name, value in of_file.items()
    )


def describe_model(model: nn.Module) -> audit_result.Checkpoint:
    """Describe a model that came from no file by its class and a SHA-256 over its weights."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode() + b"\0" + _bytes(value))
    return audit_result.Checkpoint(
        file="(live object)",
        sha256=digest.hexdigest(),
        architecture=type(model).__name__,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        format="live object",
    )


def _bytes(value: object) -> bytes:
    """Return what a state_dict holds as bytes: a tensor, or what a quantised module packs its weights in."""
    if isinstance(value, Tensor):
        plain = value.dequantize() if value.is_quantized else value
        return bytes(plain.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    if isinstance(value, tuple | list):
        return b"".join(map(_bytes, value))
    if isinstance(value, Mapping):
        return b"".join(str(key).encode() + b"\0" + _bytes(value[key]) for key in sorted(value, key=str))
    told = repr(value) if isinstance(value, str | bytes | int | float | torch.dtype | None) else type(value).__name__
    return told.encode() + b"\0"


def describe_features(data: LabelledData, layers: Mapping[str, NDArray[np.floating]]) -> audit_result.Checkpoint:
    """Describe representations that came from no file by a SHA-256 over them."""
    digest = hashlib.sha256()
    for layer in layers.values():
        for rows in blocks(layer, AT_ONCE):
            digest.update(np.ascontiguousarray(rows).tobytes())
    return _without_model(data.name, digest.hexdigest())


def describe_embeddings(name: str, sha256: str) -> audit_result.Checkpoint:
    """Describe representations that came from several files by what they are called, and a SHA-256 for all of them."""
    return _without_model(name, sha256)


def describe_embeddings_file(path: Path) -> tuple[audit_result.Checkpoint, list[str]]:
    """Describe representations by the file that they came from, with the record that a sanitizer left beside it."""
    digest = sha256(path)
    sanitizing, notes = _record(path, digest)
    return _without_model(path.name, digest).model_copy(update={"sanitizing": sanitizing}), notes


def _record(path: Path, digest: str) -> tuple[audit_result.Sanitizing | None, list[str]]:
    """Return the record beside a file if it names this very file, and a note if it names another or is none."""
    record = audit_result.sidecar(path)
    if not record.is_file():
        return None, []
    if not _may_be_record(record):
        return None, [f"{record.name} is no record of irene sanitize and was left out"]
    found = audit_result.read_sidecar(record)
    if found.sha256 == digest:
        return found.sanitizing, []
    return None, [f"{record.name} is the record of another checkpoint than {path.name} and was left out"]


def _may_be_record(path: Path) -> bool:
    """Tell a record, or what is left of one, from anything else of that name."""
    try:
        return b'"sanitizing"' in read_bounded(path, MOST_JSON)
    except NotReadError:
        return False
    except OSError:  # told by who reads it
        return True


def _without_model(file: str, digest: str) -> audit_result.Checkpoint:
    return audit_result.Checkpoint(file=file, sha256=digest, architecture="unknown", parameters=0, format="embeddings")
