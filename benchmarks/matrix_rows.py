"""The cases of benchmarks/matrix.py that are rows: files, folders and addresses, and objects in Python."""

import json
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matrix_cases import LABELS, ROWS, SETTINGS, SEX, Case, audited, drawn, package, small_net
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import irene
from audit.data.labelled import LabelledData
from audit.data.sources.opening import open_data
from audit.evidence.audit_result import AuditResult

SIDE, BRIGHT = 16, 128
"""Of images; those of one class are brighter than this on average, those of the other darker."""


def cases() -> Iterator[Case]:
    """Yield every case."""
    yield Case("images", "metadata.csv with file_name", partial(_metadata, "file_name", ".csv"), quick=True)
    yield Case("images", "metadata.csv with image", partial(_metadata, "image", ".csv"))
    yield Case("images", "metadata.jsonl", partial(_metadata, "file_name", ".jsonl"))
    yield Case("images", "metadata.parquet", partial(_metadata, "file_name", ".parquet"))
    yield Case("images", "a folder for each class", _classes, quick=True)
    yield Case("images", "train and test folders of classes", _parts)
    yield Case("images", "train and test folders with metadata", _parts_with_metadata)
    yield Case("images", "a CSV of paths", partial(_paths, ".csv"))
    yield Case("images", "a Parquet file of paths", partial(_paths, ".parquet"))
    yield Case("images", "images in the cells of Parquet", _cells, quick=True)
    yield Case("images", "shards of Parquet, of train and test", partial(_shards, "train", "test"))
    yield Case("images", "shards of Parquet, of train alone", partial(_shards, "train"), refused=True)
    yield Case("images", "an archive of WebDataset", _tar, quick=True)
    yield Case("images", "archives that webdataset wrote", _tars, needs=("webdataset",))
    yield Case("images", "save_to_disk", _saved, needs=("datasets",))
    yield Case("images", "an address of fsspec, file:", _address)
    yield Case("images", "an address of fsspec, memory:", _memory)
    yield Case("images", "without labels", _unlabelled, refused=True)
    yield Case("images", "of several sizes, no size named", _sizes, refused=True)
    yield Case("images", "a damaged one among them", _damaged)
    yield Case("images", "a path that is not there", _missing, refused=True)
    yield Case("sounds", "WAV files in a CSV", _sounds, needs=("soundfile",))
    yield Case("sounds", "FLAC files of several lengths", partial(_sounds, suffix=".flac", uneven=True),
               needs=("soundfile",))  # fmt: skip
    yield Case("clips", "MP4 files in a folder for each class", _clips, needs=("av",))
    yield Case("numbers", "a CSV", partial(_numbers, ".csv"), quick=True)
    yield Case("numbers", "a Parquet file", partial(_numbers, ".parquet"))
    yield Case("numbers", "clips, (t, c, h, w)", lambda _: audited(_video(), drawn(4, 3, 8, 8)))
    yield from _in_python()


def _pictures(folder: Path, *, by_class: bool = False, seed: int = 0) -> list[str]:
    """Write an image of each row, and return their names in the folder."""
    names, draw = [], np.random.default_rng(seed)
    for row, label in enumerate(LABELS):
        place = folder / (f"{'fm'[label]}/{row}.png" if by_class else f"{row}.png")
        place.parent.mkdir(parents=True, exist_ok=True)
        low, high = (BRIGHT, 255) if label else (0, BRIGHT)
        Image.fromarray(draw.integers(low, high, (SIDE, SIDE, 3), dtype=np.uint8)).save(place)
        names.append(str(place.relative_to(folder)))
    return names


def _seen(path: Path | str, *, unread: int = 0, **options: object) -> AuditResult:
    """Audit images, and see that each row has its own label."""
    data = open_data(path, "audit", {"transform": "unit", "image_size": SIDE} | options)
    assert len(data) == ROWS, f"{len(data)} rows"
    column = data.column("sex", "private")
    bright = [column.classes[code] in ("m", "1") for code in column.codes]
    if not unread:
        assert [bool(data.inputs[row].mean() > BRIGHT / 255) for row in range(ROWS)] == bright, "labels of other rows"
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return audited(net, data)


def _written(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)
    return path


def _metadata(column: str, suffix: str, folder: Path) -> AuditResult:
    _written(pd.DataFrame({column: _pictures(folder), "sex": LABELS}), folder / f"metadata{suffix}")
    return _seen(folder)


def _classes(folder: Path) -> AuditResult:
    _pictures(folder, by_class=True)
    return _seen(folder, class_folders="sex")


def _parts(folder: Path) -> AuditResult:
    for seed, part in enumerate(("train", "test")):
        _pictures(folder / part, by_class=True, seed=seed)
    return _seen(folder, class_folders="sex")


def _parts_with_metadata(folder: Path) -> AuditResult:
    for seed, part in enumerate(("train", "test")):
        names = _pictures(folder / part, seed=seed)
        _written(pd.DataFrame({"file_name": names, "sex": LABELS}), folder / part / "metadata.csv")
    return _seen(folder)


def _paths(suffix: str, folder: Path) -> AuditResult:
    frame = pd.DataFrame({"photo": _pictures(folder / "faces"), "sex": LABELS})
    return _seen(_written(frame, folder / f"rows{suffix}"), image="photo", data_root=str(folder / "faces"))


def _in_cells(folder: Path) -> pd.DataFrame:
    held = [{"bytes": (folder / name).read_bytes(), "path": name} for name in _pictures(folder)]
    return pd.DataFrame({"image": held, "sex": LABELS})


def _cells(folder: Path) -> AuditResult:
    return _seen(_written(_in_cells(folder), folder / "rows.parquet"), image="image")


def _shards(*args: Any) -> AuditResult:
    """Write two shards of each part, as the hub keeps them."""
    *parts, folder = args
    frame, shards = _in_cells(folder / "x"), folder / "shards"
    shards.mkdir()
    for part in parts:
        for shard in range(2):
            half = frame.iloc[shard * ROWS // 2 : (shard + 1) * ROWS // 2]
            _written(half, shards / f"{part}-0000{shard}-of-00002.parquet")
    return _seen(shards, image="image")


def _tar(folder: Path) -> AuditResult:
    with tarfile.open(folder / "rows.tar", "w") as tar:
        for name, label in zip(_pictures(folder / "x"), LABELS, strict=True):
            tar.add(folder / "x" / name, name)
            (folder / "label").write_text(json.dumps({"sex": int(label)}))
            tar.add(folder / "label", name.replace(".png", ".json"))
    return _seen(folder / "rows.tar")


def _tars(folder: Path) -> AuditResult:
    """Let webdataset write two shards, with the class as its users keep it."""
    (folder / "shards").mkdir()
    names = _pictures(folder / "x")
    with package("webdataset").ShardWriter(f"{folder}/shards/%05d.tar", maxcount=ROWS // 2, verbose=0) as sink:
        for row, name in enumerate(names):
            rest = {"png": (folder / "x" / name).read_bytes(), "json": {"sex": int(LABELS[row])}}
            sink.write({"__key__": f"{row:06d}"} | rest)
    return _seen(folder / "shards")


def _saved(folder: Path) -> AuditResult:
    datasets = package("datasets")
    names = [str(folder / name) for name in _pictures(folder)]
    rows = datasets.Dataset.from_dict({"image": names, "sex": LABELS}).cast_column("image", datasets.Image())
    rows.save_to_disk(folder / "saved")
    return _seen(folder / "saved")


def _address(folder: Path) -> AuditResult:
    _pictures(folder / "x", by_class=True)
    return _seen(f"file://{folder}/x", class_folders="sex")


def _memory(folder: Path) -> AuditResult:
    import fsspec

    _pictures(folder / "x", by_class=True)
    fsspec.filesystem("memory").put(str(folder / "x"), "/matrix", recursive=True)
    return _seen("memory://matrix", class_folders="sex")


def _unlabelled(folder: Path) -> AuditResult:
    _pictures(folder)
    return _seen(folder)


def _sizes(folder: Path) -> AuditResult:
    names = _pictures(folder)
    Image.new("RGB", (9, 9)).save(folder / names[3])
    _written(pd.DataFrame({"file_name": names, "sex": LABELS}), folder / "metadata.csv")
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * (SIDE - 2) ** 2, 2))
    return audited(net, open_data(folder, "audit", {"transform": "unit"}))


def _damaged(folder: Path) -> AuditResult:
    names = _pictures(folder)
    (folder / names[3]).write_bytes(b"no image")
    _written(pd.DataFrame({"file_name": names, "sex": LABELS}), folder / "metadata.csv")
    return _seen(folder, unread=1)


def _missing(folder: Path) -> AuditResult:
    return _seen(folder / "nowhere.csv", image="photo")


def _sounds(folder: Path, *, suffix: str = ".wav", uneven: bool = False) -> AuditResult:
    names, draw = [f"{row}{suffix}" for row in range(ROWS)], np.random.default_rng(0)
    for row, name in enumerate(names):
        package("soundfile").write(folder / name, draw.normal(size=400 + uneven * row) / 9, 8000)
    frame = pd.DataFrame({"sound": names, "sex": LABELS})
    options = {"audio": "sound"} | ({"seconds": 0.05} if uneven else {})
    rows = open_data(_written(frame, folder / "rows.csv"), "audit", options)
    return audited(nn.Sequential(nn.Linear(400, 8), nn.ReLU(), nn.Linear(8, 2)), rows)


def _clips(folder: Path) -> AuditResult:
    """Write clips of ten frames, brighter in one class, and see that each row has its own label."""
    draw = np.random.default_rng(0)
    for row, label in enumerate(LABELS):
        path = folder / "fm"[label] / f"{row}.mp4"
        path.parent.mkdir(exist_ok=True)
        with package("av").open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width = stream.height = SIDE
            low, high = (BRIGHT + 20, 255) if label else (0, BRIGHT - 20)
            pixels = np.broadcast_to(draw.integers(low, high, 3), (SIDE, SIDE, 3)).astype(np.uint8)
            for _ in range(10):
                container.mux(stream.encode(package("av").VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode())
    said = {"frames": 4, "clip_axes": "tchw", "transform": "unit", "image_size": 8}
    data = open_data(folder, "audit", {"class_folders": "sex"} | said)
    classes = [data.column("sex", "private").classes[code] for code in data.column("sex", "private").codes]
    assert ["m" if data.inputs[row].mean() > BRIGHT / 255 else "f" for row in range(ROWS)] == classes, "other labels"
    return audited(_video(), data)


def _numbers(suffix: str, folder: Path) -> AuditResult:
    frame = pd.DataFrame({"a": np.arange(ROWS) / 7, "b": np.arange(ROWS) / 3, "sex": LABELS})
    return audited(nn.Linear(2, 4), open_data(_written(frame, folder / f"rows{suffix}"), "audit", {"features": "a,b"}))


def _video() -> nn.Module:
    return nn.Sequential(nn.Conv3d(4, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 2))


class Stream(IterableDataset[Any]):
    """Rows without a number."""

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        yield from zip(drawn(16), LABELS.tolist(), strict=True)


class Failing(Dataset[Any]):
    """A dataset with a mistake of its user's in it."""

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return drawn(16)[row], {"sex": 1}["label"]


def _in_python() -> Iterator[Case]:
    flat = drawn(16)
    pairs = TensorDataset(flat, torch.as_tensor(LABELS))
    rows: dict[str, Callable[[], LabelledData]] = {
        "a tensor": lambda: irene.labelled(flat, SEX),
        "a NumPy array": lambda: irene.labelled(flat.numpy(), SEX),
        "a list of tensors": lambda: irene.labelled(list(flat), SEX),
        "a DataFrame": lambda: irene.labelled(pd.DataFrame(flat.numpy()), SEX),
        "a DataFrame that holds the labels": lambda: irene.labelled(
            pd.DataFrame(flat.numpy()).rename(columns=str).assign(sex=LABELS), "sex"),
        "a Dataset of (x, y)": lambda: irene.labelled(pairs, "sex"),
        "a Dataset of mappings": lambda: irene.labelled(
            [{"x": x, "sex": int(label)} for x, label in zip(flat, LABELS, strict=True)], "sex"),
        "a Subset": lambda: irene.labelled(torch.utils.data.Subset(pairs, range(ROWS)), "sex"),
        "a DataLoader that shuffles": lambda: irene.labelled(DataLoader(pairs, batch_size=16, shuffle=True), "sex"),
        "a DataLoader with a collate_fn": lambda: irene.labelled(
            DataLoader(pairs, batch_size=16, collate_fn=torch.utils.data.default_collate), "sex"),
    }  # fmt: skip
    for name, make in rows.items():
        yield Case("Python", name, partial(_checked, make), quick=name == "a Dataset of (x, y)")
    yield Case("Python", "datasets.Dataset", partial(_checked, lambda: irene.labelled(_hub(), "sex")),
               needs=("datasets",))  # fmt: skip
    lightning = ("lightning",)
    yield Case("Python", "a Lightning DataModule", partial(_checked, lambda: irene.labelled(_module(pairs), "sex")),
               refused=True, needs=lightning)  # fmt: skip
    yield Case("Python", "its loader, after setup('test')", partial(_checked, lambda: _set_up(pairs)), lines=2,
               needs=lightning)  # fmt: skip
    yield Case("Python", "a stream", lambda _: audited(small_net(), irene.labelled(Stream(), "sex")), refused=True)
    yield Case("Python", "a stream, as a list", partial(
        _checked, lambda: irene.labelled(list(Stream()), "sex")), lines=1)  # fmt: skip
    yield Case("Python", "a Dataset that fails", lambda _: audited(
        small_net(), irene.labelled(Failing(), "sex")), refused=True)  # fmt: skip
    yield Case("Python", "a DataLoader without labels' names", lambda _: irene.audit(
        small_net(), DataLoader(pairs), private="sex", settings=SETTINGS), refused=True)  # type: ignore[arg-type]  # fmt: skip


def _checked(make: Callable[[], LabelledData], _: Path) -> AuditResult:
    """Audit rows, and see that they are the rows that were given."""
    data = make()
    assert len(data) == ROWS, f"{len(data)} rows"
    column = data.column("sex", "private")
    for row, x in enumerate(drawn(16)):
        assert torch.equal(data.inputs[row].float(), x) and column.classes[column.codes[row]] == str(LABELS[row])
    return audited(small_net(), data)


def _hub() -> object:
    made = package("datasets").Dataset.from_dict({"x": drawn(16).numpy(), "sex": LABELS})
    return made.with_format("torch")


def _set_up(rows: TensorDataset) -> LabelledData:
    module = _module(rows)
    module.setup("test")
    return irene.labelled(module.test_dataloader(), "sex")


def _module(rows: TensorDataset) -> Any:
    class Module(package("lightning").LightningDataModule):  # type: ignore[misc]
        def test_dataloader(self) -> "DataLoader[Any]":
            return DataLoader(rows, batch_size=16)

    return Module()
