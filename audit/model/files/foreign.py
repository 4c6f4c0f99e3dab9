"""Files of other frameworks, told by their first bytes or their structure, and how a model gets from there to irene."""

import re
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path

from audit.errors import CheckpointError
from audit.file_limits import opened

TORCH = "save the weights of the same net in PyTorch: torch.save(model.state_dict(), 'model.pt')"
ONNX = "convert it to ONNX, which irene audits"
KERAS = f"{ONNX} (python -m tf2onnx.convert, or keras: model.export('model.onnx', format='onnx'))"
STARTS: Sequence[tuple[int, bytes, str, str]] = (
    (0, b"GGUF", "a GGUF file of llama.cpp, of quantised weights", "take the model that it was made from, in floats"),
    (0, b"tjgg", "a GGML file of llama.cpp, of quantised weights", "take the model that it was made from, in floats"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes", KERAS),
    (4, b"TFL3", "a TensorFlow Lite program", f"take the TensorFlow model it was made from, and {ONNX}"),
    (4, b"ET1", "an ExecuTorch program", "take the program of torch.export that it was made from (.pt2)"),
    (0, b"\x93NUMPY", "one NumPy array", "audit vectors as embeddings.npz, or " + TORCH),
    (0, b"version https://git-lfs", "the pointer that Git LFS leaves in the place of a file", "fetch it: git lfs pull"),
    (
        0,
        b"<!DOCTYPE",
        "a page of HTML, as a failed download leaves",
        "download it again, signed in where that is asked",
    ),
    (0, b"<html", "a page of HTML, as a failed download leaves", "download it again, signed in where that is asked"),
    (0, b"<?xml", "a file of XML, as OpenVINO writes", "take the ONNX file it was made from"),
    (0, b"\x1f\x8b", "a file that gzip compressed", "unpack it: gunzip"),
)
"""Where certain bytes stand in a file, what it is then, and the way out."""
FLAX = re.compile(rb"[\x81-\x8f][\xa1-\xbf][\w/.]+")
"""A map of msgpack whose first key is a short text; a pickle begins with \\x80."""
TABLES = frozenset({".csv", ".tsv", ".jsonl"})
"""Ends of names of tables; a .parquet may hold vectors, which are audited."""
FIELDS = 1000
"""Fields of a message that are looked at."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def require_torch(path: Path, members: Sequence[str]) -> None:
    """Raise a CheckpointError that says what a file is, if another framework wrote it.

    Args:
        members: Names of its parts, if it is a zip archive.
    """
    if found := _in_archive(members) if members else _by_bytes(path):
        what, remedy = found
        raise CheckpointError(f"{path} is {what}, not PyTorch's. To audit it, {remedy}.")


def is_safetensors(path: Path) -> bool:
    """Return whether a file begins as a list of tensors in JSON does, behind its length."""
    with opened(path) as file:
        start = file.read(10)
        return len(start) == 10 and start[8:] == b'{"' and int.from_bytes(start[:8], "little") <= file.seek(0, 2)


def is_onnx(path: Path) -> bool:
    """Return whether a file has the fields of an ONNX model: its version, a graph, and sets of operators."""
    fields = dict.fromkeys(_fields(path))
    return (1, VARINT) in fields and (7, BYTES) in fields and all(1 <= number <= 30 for number, _ in fields)


def _by_bytes(path: Path) -> tuple[str, str] | None:
    if path.suffix.lower() in TABLES:
        return "a table of rows", "name the model, and the table with --data; vectors alone are .npz, .npy or .parquet"
    with opened(path) as file:
        start = file.read(64)
    for place, mark, what, remedy in STARTS:
        if start[place : place + len(mark)] == mark:
            return what, remedy
    if FLAX.match(start):
        return "a file of msgpack, as Flax writes", f"{ONNX} (jax2onnx), or {TORCH}"
    return None if start[:1] == b"\x80" else _by_fields(list(_fields(path)))


def _by_fields(fields: Sequence[tuple[int, int]]) -> tuple[str, str] | None:
    """Say what a message of Protocol Buffers with such outermost fields is."""
    if fields and all(field in ((1, BYTES), (2, BYTES), (3, VARINT), (4, BYTES)) for field in fields):
        return "a graph of TensorFlow", KERAS
    if fields[:1] == [(1, VARINT)] and any(number >= 200 for number, _ in fields):
        return "a Core ML model", f"take the model that it was converted from, or {ONNX}"
    if fields[:1] == [(1, VARINT)] and set(fields[1:]) == {(2, BYTES)}:
        return "a SavedModel of TensorFlow", KERAS
    return None


def _in_archive(members: Sequence[str]) -> tuple[str, str] | None:
    if "model.weights.h5" in members:
        return "a Keras model", KERAS
    if all(name.endswith(".npy") for name in members):
        return "an archive of NumPy arrays, as JAX and Flax users write", (
            "save them as tensors: torch.save({name: torch.from_numpy(array) for name, array in "
            "np.load('file.npz').items()}, 'model.pt')"
        )
    if not any(name.endswith((".pkl", "/version", "archive_format")) or name.startswith("models/") for name in members):
        return "a zip archive of other files", "unpack it, and name the checkpoint in it"
    return None


def _fields(path: Path) -> Iterator[tuple[int, int]]:
    """Yield number and kind of the outermost fields of a message of Protocol Buffers; nothing where it is none."""
    found: list[tuple[int, int]] = []
    with opened(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        while file.tell() < size and len(found) < FIELDS:
            tag = _varint(file.read(10), file)
            number, kind = (tag or 0) >> 3, (tag or 0) & 7
            length = {FIXED64: 8, FIXED32: 4}.get(kind, 0)
            if kind in (VARINT, BYTES):
                value = _varint(file.read(10), file)
                length = -1 if value is None else value if kind == BYTES else 0
            if not number or kind not in (VARINT, FIXED64, BYTES, FIXED32) or not 0 <= length <= size - file.tell():
                return
            file.seek(length, 1)
            found.append((number, kind))
    yield from found


def _varint(content: bytes, file: BufferedReader) -> int | None:
    """Read a number of several bytes, and set the file behind it."""
    end = next((place for place, one in enumerate(content) if one < 128), None)
    if end is None:
        return None
    file.seek(end + 1 - len(content), 1)
    return sum((one & 127) << (7 * place) for place, one in enumerate(content[: end + 1]))
