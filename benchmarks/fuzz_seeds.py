"""What is fuzzed: each kind of file that irene reads from strangers, valid examples of it, and what reads it."""

import io
import json
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from PIL import Image

from audit.cli.config_file import CONFIG
from audit.data.cells import words_of
from audit.data.files.contents import InFolder
from audit.data.files.image_file import survey
from audit.data.files.table_file import read_table
from audit.data.sources import image_folder
from audit.data.sources.embeddings import read_embeddings
from audit.data.sources.file_rows import Images
from audit.data.sources.table import Said, rows_of
from audit.data.transforms import image_transform
from audit.evidence.checks.verify import verify
from audit.model.architecture import build
from audit.model.checkpoint import load
from irene.command import main
from reports.compliance.mapping import load as framework
from reports.gate.gate import gate
from reports.inputs.files import read_given

Seeds = Mapping[str, bytes]
"""Valid files by their names."""
GOLDEN = Path(__file__).parents[1] / "tests/golden"


@dataclass(frozen=True)
class Target:
    """One kind of file."""

    seeds: Callable[[], Seeds]
    read: Callable[[Path], object]


def checkpoints() -> Seeds:
    """Return weights in three formats, and programs in two."""
    net = build("small-convnet", {}).eval()
    state = net.state_dict()
    small = {"weight": torch.ones(2, 3), "half": torch.ones(2, dtype=torch.bfloat16), "step": torch.tensor(1)}
    made = {"whole.safetensors": safetensors.torch.save(state), "small.safetensors": safetensors.torch.save(small)}
    contents = {"small.pt": small, "nested.pt": {"model": small, "optimizer": {"lr": (0.9, 0.99)}, "epoch": 3}}
    tiny = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(tiny, torch.zeros(2, 3))  # type: ignore[no-untyped-call]
        for name, content in contents.items():
            made[name] = _saved(partial(torch.save, content))
            made[f"old_{name}"] = _saved(partial(torch.save, content, _use_new_zipfile_serialization=False))
        made["program.pt"] = _saved(partial(torch.jit.save, traced))
        exported = torch.export.export(tiny, (torch.zeros(2, 3),))
        made["program.pt2"] = _saved(partial(torch.export.save, exported))
    return made


def embeddings() -> Seeds:
    """Return layers and labels as .npz, plain and compressed, .npy and .parquet."""
    layer = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    labels = np.array(["a", "b"] * 6)
    frame = pd.DataFrame({"layer": list(layer), "label": labels, "age": np.arange(12)})
    return {
        "plain.npz": _saved(partial(_npz, np.savez, layer, labels)),
        "packed.npz": _saved(partial(_npz, np.savez_compressed, layer, labels)),
        "layer.npy": _saved(lambda file: np.save(file, layer)),
        "both.parquet": _saved(frame.to_parquet),
    }


def tables() -> Seeds:
    """Return a table in each form."""
    frame = pd.DataFrame(
        {
            "file_name": ["x.png", "x.png", "x.png"],
            "split": ["train", "audit", "test"],
            "age": [1, 20, 3],
            "sex": ["f", "m", "?"],
            "when": pd.to_datetime(["2020-01-01"] * 3),
            "score": [0.5, None, 2.0],
        }
    )
    indexed = frame.set_index("age").astype({"sex": "category"})
    text = frame.to_csv(index=False)
    return {
        "metadata.csv": text.encode(),
        "quoted.tsv": frame.to_csv(index=False, sep="\t", quoting=1).encode(),
        "metadata.jsonl": frame.astype({"when": str}).to_json(orient="records", lines=True).encode(),
        "metadata.parquet": _saved(frame.to_parquet),
        "indexed.parquet": _saved(indexed.to_parquet),
    }


def images() -> Seeds:
    """Return a picture in each format that is decoded, in several modes."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 255, (9, 7, 3), dtype=np.uint8))
    deep = Image.fromarray(rng.integers(0, 2**16, (9, 7), dtype=np.uint16))
    exif = Image.Exif()
    exif[0x112] = 6
    made = {f"rgb.{name}": _picture(rgb, name) for name in ("png", "jpeg", "webp", "bmp", "tiff", "ppm", "gif")}
    moves = {f"moves.{name}": _picture(rgb, name, save_all=True, append_images=[rgb, rgb]) for name in ("gif", "webp")}
    return made | moves | {
        "deep.png": _picture(deep, "png"),
        "deep.tiff": _picture(deep, "tiff", compression="tiff_lzw"),
        "turned.jpeg": _picture(rgb, "jpeg", exif=exif),
        "inks.jpeg": _picture(rgb.convert("CMYK"), "jpeg"),
        "palette.png": _picture(rgb.convert("P"), "png"),
    }  # fmt: skip


def evidence() -> Seeds:
    """Return evidence of the golden set: audits, a sweep."""
    return {f"{name}.json": (GOLDEN / f"{name}.json").read_bytes() for name in ("sanitized", "quantity", "sweep")}


def configs() -> Seeds:
    """Return options for commands."""
    content = {
        "task": "smile",
        "private": ["age", "sex"],
        "seed": 3,
        "arch-arg": {"num_classes": 2},
        "follow-links": True,
    }
    top = "\n".join(f"{name} = {json.dumps(value)}" for name, value in content.items() if not isinstance(value, dict))
    table = "[audit]\narch-arg = { num_classes = 2 }\noutput = 'a.json'\n[sanitize]\nseed = 1979-05-27\n"
    own = Path(__file__).parents[1] / "reports/compliance/provisions.toml"
    return {"irene.toml": f"{top}\n{table}".encode(), "framework.toml": own.read_bytes()}


def _read_embeddings(path: Path) -> None:
    table = path.with_name("labels.csv")
    table.write_text("label\n" + "a\nb\n" * 6)
    read_embeddings(path, table=table if path.suffix == ".npy" else None)


def _read_table(path: Path) -> None:
    table = read_table(path)
    said = Said.of("", "", None)
    said.read(table.columns, path.name)
    table.frame(words_of(None))
    rows_of(table, "audit")


def _read_metadata(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "x.png").write_bytes(_picture(Image.new("RGB", (3, 3)), "png"))
        (Path(folder) / "out.png").symlink_to("/dev/zero")
        (Path(folder) / f"metadata{path.suffix}").write_bytes(path.read_bytes())
        data = image_folder.load(folder, "audit", transform="unit")
        data.inputs[0]


def _read_evidence(path: Path) -> None:
    given = read_given([path])
    if isinstance(given, list):
        gate(given[0][1])
        verify([path])


def _read_config(path: Path) -> None:
    if path.name == "framework.toml":
        framework(path)
        return
    with main.make_context("irene", ["audit"], resilient_parsing=True) as context:
        command = main.get_command(context, "audit")
        assert command is not None and CONFIG in command.params
        command.make_context("audit", ["model.pt", "--config", str(path)], parent=context)


def _read_image(path: Path) -> None:
    survey(InFolder(path.parent, [path.name], path.name))
    Images(InFolder(path.parent, [path.name], path.name), image_transform("unit", image_size=None))[0]


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def _npz(save: Callable[..., None], layer: np.ndarray, labels: np.ndarray, file: io.BytesIO) -> None:
    save(file, layer=layer, label=labels, age=np.arange(len(labels)))


def _picture(image: Image.Image, form: str, **options: object) -> bytes:
    return _saved(lambda file: image.save(file, format=form, **options))


TARGETS = {
    "checkpoint": Target(checkpoints, lambda path: load(path, "small-convnet")),
    "embeddings": Target(embeddings, _read_embeddings),
    "table": Target(tables, _read_table),
    "metadata": Target(
        lambda: {name: content for name, content in tables().items() if name.startswith("metadata")}, _read_metadata
    ),
    "image": Target(images, _read_image),
    "evidence": Target(evidence, _read_evidence),
    "config": Target(configs, _read_config),
}
