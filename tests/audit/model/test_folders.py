"""Folders, shards and files of other frameworks: one model, or one line that says what they are and the way out."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from audit.errors import CheckpointError
from audit.model import state_dict
from audit.model.checkpoint import load, require_weights

ARCH = "torch.nn:Linear"
SHAPE = {"in_features": 3, "out_features": 2}


def linear() -> dict[str, Tensor]:
    return nn.Linear(3, 2).state_dict()


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(path, ARCH, SHAPE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def sharded(folder: Path, state: dict[str, Tensor], *, safe: bool = True) -> dict[str, str]:
    """Write one shard for each tensor; return which holds which."""
    folder.mkdir(exist_ok=True)
    stem, suffix = ("model", "safetensors") if safe else ("pytorch_model", "bin")
    places = {name: f"{stem}-{i:05}-of-{len(state):05}.{suffix}" for i, name in enumerate(state, 1)}
    for name, file in places.items():
        if safe:
            safetensors.torch.save_file({name: state[name]}, folder / file)
        else:
            torch.save({name: state[name]}, folder / file)
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps({"weight_map": places}))
    return places


@pytest.mark.parametrize("safe", [True, False])
def test_shards_are_one_model_with_one_digest_and_are_written_as_one_file(safe: bool, tmp_path: Path) -> None:
    state = linear()
    places = sharded(tmp_path / "m", state, safe=safe)
    (tmp_path / "m" / "config.json").write_text("{}")
    loaded = load(tmp_path / "m", ARCH, SHAPE)
    assert all(torch.equal(value, state[name]) for name, value in loaded.module.state_dict().items())
    content = b"".join((tmp_path / "m" / name).read_bytes() for name in sorted(places.values()))
    assert loaded.sha256 == hashlib.sha256(content).hexdigest()
    assert loaded.notes == ("the model lies in 2 files; irene sanitize writes one",)
    weights = require_weights(loaded)
    assert weights.path.suffix == (".safetensors" if safe else ".bin")
    again = tmp_path / f"again{weights.path.suffix}"
    state_dict.write_like(weights, loaded.module, again, again.suffix)
    assert load(again, ARCH, SHAPE).notes == ()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "last.ckpt", "only.pt"])
def test_a_folder_of_one_model_is_that_model(name: str, tmp_path: Path) -> None:
    if name.endswith("safetensors"):
        safetensors.torch.save_file(linear(), tmp_path / name)
    else:
        torch.save({"state_dict": linear()}, tmp_path / name)
    (tmp_path / "training_args.bin").write_bytes(b"no weights")
    assert load(tmp_path, ARCH, SHAPE).path == tmp_path / name


def test_a_shard_outside_of_the_folder_or_missing_is_refused(tmp_path: Path) -> None:
    folder, index = tmp_path / "m", tmp_path / "m" / "model.safetensors.index.json"
    places = sharded(folder, linear())
    safetensors.torch.save_file(linear(), tmp_path / "other.safetensors")
    for name in ("../other.safetensors", str(tmp_path / "other.safetensors"), ".."):
        index.write_text(json.dumps({"weight_map": {"weight": name}}))
        assert "which is no file in its folder" in refused(folder)
    index.write_text(json.dumps({"weight_map": {"weight": "gone.safetensors"}}))
    assert "which is not there" in refused(folder)
    (folder / "link.safetensors").symlink_to(tmp_path / "other.safetensors")
    index.write_text(json.dumps({"weight_map": {"weight": "link.safetensors"}}))
    assert "is a link out of its folder" in refused(folder)
    for broken in ("[]", "{", '{"weight_map": 3}', "[" * 10_000, '{"weight_map": {}}'):
        index.write_text(broken)
        assert str(index) in refused(folder)
    index.write_text(json.dumps({"weight_map": dict.fromkeys(places, sorted(places.values())[0])}))
    assert "missing from the file" in refused(folder)


def test_the_links_of_the_hubs_own_cache_are_followed(tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / "1234", tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    safetensors.torch.save_file(linear(), blobs / "abc")
    (snapshot / "model.safetensors").symlink_to(blobs / "abc")
    assert load(snapshot, ARCH, SHAPE).format == "state_dict"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("adapter_config.json", "is a LoRA adapter without its model.*merge_and_unload"),
        ("saved_model.pb", "is a SavedModel of TensorFlow"),
        ("Manifest.json", "is a Core ML package"),
        (".metadata", "is a distributed checkpoint of torch.*dcp_to_torch"),
        ("0_Transformer", "is of sentence-transformers, an old layout: move the files of 0_Transformer up"),
        ("readme.txt", "holds no model"),
    ],
)
def test_a_folder_of_something_else_is_told_for_what_it_is(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("{}")
    (tmp_path / "adapter_model.safetensors" if name.startswith("adapter") else tmp_path / "x.txt").write_text("")
    with pytest.raises(CheckpointError, match=said):
        load(tmp_path, ARCH, SHAPE)


def test_several_models_in_a_folder_are_asked_for(tmp_path: Path) -> None:
    for name in ("epoch1.ckpt", "epoch2.ckpt"):
        torch.save(linear(), tmp_path / name)
    assert "holds several models (epoch1.ckpt, epoch2.ckpt). Name one file." in refused(tmp_path)


def test_of_two_formats_that_of_transformers_is_read_and_the_other_is_told(tmp_path: Path) -> None:
    own, other = linear(), linear()
    safetensors.torch.save_file(own, tmp_path / "model.safetensors")
    torch.save(other, tmp_path / "pytorch_model.bin")
    loaded = load(tmp_path, ARCH, SHAPE)
    assert torch.equal(loaded.module.state_dict()["weight"], own["weight"])
    assert loaded.notes == ("the weights are those of model.safetensors; not read was pytorch_model.bin beside it",)
    assert load(tmp_path / "pytorch_model.bin", ARCH, SHAPE).notes == ()  # who names a file has chosen
    parts = tmp_path / "parts"
    sharded(parts, other, safe=False)
    sharded(parts, own)
    loaded = load(parts, ARCH, SHAPE)
    assert torch.equal(loaded.module.state_dict()["weight"], own["weight"])
    assert loaded.notes[-1].endswith("not read was pytorch_model.bin.index.json beside it")


@pytest.mark.parametrize("safe", [True, False])
def test_a_whole_file_beside_the_parts_of_another_model_is_asked_about(safe: bool, tmp_path: Path) -> None:
    sharded(tmp_path / "m", linear(), safe=safe)
    name = "model.safetensors" if safe else "pytorch_model.bin"
    if safe:
        safetensors.torch.save_file(linear(), tmp_path / "m" / name)
    else:
        torch.save(linear(), tmp_path / "m" / name)
    said = refused(tmp_path / "m")
    assert f"holds a model in {name}, and one in parts by {name}.index.json. Name the file" in said
    assert load(tmp_path / "m" / name, ARCH, SHAPE).notes == ()
    (tmp_path / "m" / name).unlink()
    assert load(tmp_path / "m", ARCH, SHAPE)


def test_shards_without_their_list_are_told_for_what_they_are(tmp_path: Path) -> None:
    sharded(tmp_path / "m", linear())
    (tmp_path / "m" / "model.safetensors.index.json").unlink()
    said = refused(tmp_path / "m")
    assert "holds parts of one model, such as model-00001-of-00002.safetensors, and not the list" in said


def test_a_folder_that_lost_its_configuration_is_told_so(tmp_path: Path) -> None:
    safetensors.torch.save_file(linear(), tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"; config\.json, which says what model a folder holds, is not beside"):
        load(tmp_path)


def zipped(**parts: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return content.getvalue()


def arrays() -> bytes:
    content = io.BytesIO()
    np.savez(content, kernel=np.ones(3))
    return content.getvalue()


def message(*fields: tuple[int, int | bytes]) -> bytes:
    """Return a message of Protocol Buffers of short fields."""
    parts = b""
    for number, value in fields:
        tag = number << 3 | (2 if isinstance(value, bytes) else 0)
        parts += bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])
        parts += bytes([len(value)]) + value if isinstance(value, bytes) else bytes([value])
    return parts


FOREIGN = {
    "gguf": (b"GGUF\3\0\0\0" + bytes(64), "a GGUF file of llama.cpp"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "an HDF5 file, as Keras writes"),
    "keras": (zipped(**{"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": b""}), "a Keras model"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(64), "a TensorFlow Lite program"),
    "npz": (arrays(), "an archive of NumPy arrays"),
    "zip": (zipped(**{"a/model.pt": b"", "readme": b""}), "a zip archive of other files"),
    "msgpack": (b"\x82\xa6params\x81\xa5Dense\xc0", "a file of msgpack, as Flax writes"),
    "pb": (message((1, b"node"), (1, b"other"), (4, b"\x08\x1b")), "a graph of TensorFlow"),
    "savedmodel": (message((1, 1), (2, b"graph")), "a SavedModel of TensorFlow"),
    "coreml": (message((1, 5), (2, b"description"), (500, b"layers")), "a Core ML model"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "the pointer that Git LFS leaves"),
    "html": (b"<!DOCTYPE html><html>", "a page of HTML"),
}


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_others_are_told_by_what_is_in_them_not_by_their_name(name: str, suffix: str, tmp_path: Path) -> None:
    content, said = FOREIGN[name]
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(content)
    assert f"is {said}" in refused(path)
    assert "To audit it, " in refused(path)


def test_a_table_in_the_place_of_a_model_is_told_where_it_belongs(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("age,sex\n30,f\n", encoding="utf-8")
    assert "is a table of rows" in refused(path)
    assert "the table with --data" in refused(path)


def test_safetensors_under_another_name_are_read(tmp_path: Path) -> None:
    safetensors.torch.save_file(linear(), tmp_path / "model.bin")
    assert load(tmp_path / "model.bin", ARCH, SHAPE).format == "state_dict"
