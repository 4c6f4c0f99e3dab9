"""No file that a command writes gives a row, a list of labels, a row's name, a group's id or a folder away."""

import base64
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image

from audit.data.labelled import LabelledData, Part
from audit.data.sources.opening import open_data
from audit.protocol.splits import split_rows

pytestmark = pytest.mark.slow
PEOPLE, EACH, SIDE = 240, 3, 8
NET = """
from torch import nn

def net():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
                         nn.Linear(32, 12), nn.ReLU(), nn.Linear(12, 2))
"""
RUN = 12
"""Values of a row, or labels, side by side that no file may hold."""


def images(folder: Path) -> list[LabelledData]:
    """Write images of people, brighter where they smile and redder where they are tall, and open both parts."""
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True)
    lines = ["file_name,person,smile,tall,split"]
    for person in range(PEOPLE):
        tall, part = generator.integers(2), ("train", "audit")[person % 2]
        for shot in range(EACH):
            smile, name = generator.integers(2), f"zqface-{person}-{shot}.png"
            pixels = generator.integers(0, 120, (SIDE, SIDE, 3)) + 80 * smile
            pixels[..., 0] += 50 * tall
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
            labels = f"{'yes' if smile else 'no'},{'tall' if tall else 'short'}"
            lines.append(f"{name},zqperson-{person},{labels},{part}")
    (folder / "metadata.csv").write_text("\n".join(lines))
    parts: tuple[Part, Part] = ("train", "audit")
    return [open_data(folder, part, {"transform": "unit"}).grouped_by("person") for part in parts]


def parts(content: bytes) -> Iterator[bytes]:
    """Yield a file, what is packed in it, and what a page holds in base 64."""
    yield content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield from parts(archive.read(name))
    for coded in re.findall(rb"base64,([A-Za-z0-9+/=]+)", content):
        yield from parts(base64.b64decode(coded))


def runs(values: NDArray[np.generic]) -> Iterator[bytes]:
    """Yield values side by side as a file may hold them: in each number type, and in words."""
    for dtype in ("f4", "f8", "f2", "i8", "i4", "u1"):
        if np.issubdtype(values.dtype, np.integer) or dtype.startswith("f"):
            yield values.astype(dtype).tobytes()
    written = [str(value) for value in values.tolist()]
    for between in (", ", ",", " ", "\n", ""):
        yield between.join(written).encode()


def given_away(data: LabelledData) -> Iterator[bytes]:
    """Yield what no file may hold of these rows."""
    for row in range(len(data)):
        x = data.inputs[row]
        assert isinstance(x, torch.Tensor)
        middle = x.flatten().numpy()[40 : 40 + RUN]
        yield from runs(middle)
        yield from runs(np.round(middle * 255).astype(np.int64))
    columns = [data.column(name, "labelled") for name in ("smile", "tall")]
    splits = split_rows(data.groups(), columns, seed=0)
    for column in columns:
        for rows in (np.arange(len(data)), *splits.rows):
            codes = column.codes[rows][:40]
            yield from runs(codes)
            yield from (
                between.join(column.classes[c] for c in codes[:RUN]).encode() for between in (", ", '", "', ",")
            )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[LabelledData]]:
    root = tmp_path_factory.mktemp("zqclient")
    return root, images(root / "zqfolder" / "rows")


def test_nothing_that_a_command_writes_gives_a_row_or_a_name_away(
    written: tuple[Path, list[LabelledData]], run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, sets = written
    temporary = root / "temporary"
    temporary.mkdir()
    (root / "zqfolder" / "net.py").write_text(NET)
    namespace: dict[str, Callable[[], torch.nn.Module]] = {}
    exec(NET, namespace)
    torch.manual_seed(0)
    safetensors.torch.save_file(namespace["net"]().state_dict(), root / "zqfolder" / "model.safetensors")
    monkeypatch.chdir(root)
    monkeypatch.setenv("TMPDIR", str(temporary))
    model, arch = "zqfolder/model.safetensors", "--arch zqfolder/net.py:net"
    rows = "--transform unit --group person --task smile --private tall"
    train, test = f"--data zqfolder/rows {rows}", f"--data {root}/zqfolder/rows {rows}"
    quick = "--attackers logistic,knn"
    few = "--allow-chance --batch-size 64 --epochs 1"
    commands = [
        f"audit {model} {arch} {test} {quick} -o{root}/zqout/before.json",
        f"sanitize {model} {arch} {train} {few} --method codebook -o zqout/clean.safetensors",
        f"sanitize {model} {arch} {train} {few} --method kernel -o zqout/kernel.safetensors",
        f"sanitize {model} {arch} {train} --allow-chance --method map --rank 2 -o zqout/map.safetensors",
        f"sanitize {model} {arch} {train} {few} --method pairs --words 8 -o zqout/pairs.safetensors",
        f"audit zqout/clean.safetensors {arch} {test} {quick} -o zqout/after.json",
        f"audit zqout/clean.pt2 {test} {quick} --limit-rows 300 --output zqout/program.json",
        "report zqout/before.json zqout/after.json --dpia -o zqout/report.html",
        "check zqout/after.json --before zqout/before.json --junit zqout/check.xml --markdown zqout/check.md",
        f"sweep {model} {arch} {train} {few} --methods plain,leace --weights 1 {quick} -o zqout/sweep.json",
        "report zqout/sweep.json -o zqout/sweep.html",
    ]
    for command in commands:
        result = run(command, "")
        assert result.exit_code in (0, 3, 4, 5), f"irene {command}: {result.output}"
    assert not [*temporary.iterdir()]
    files = {path: b"\0".join(parts(path.read_bytes())) for path in (root / "zqout").rglob("*") if path.is_file()}
    assert len(files) > 12
    texts = {path: re.sub(rb"zqout/(clean|map|pairs)", b"", content) for path, content in files.items()}
    for word in ("zqface", "zqperson", "zqclient", "zqfolder/", "zqout", str(root), str(Path.cwd()), "/site-packages"):
        assert not [path.name for path, content in texts.items() if word.encode() in content], word
    starts: dict[bytes, set[bytes]] = {}
    for secret in {secret for data in sets for secret in given_away(data)}:
        assert len(secret) >= RUN
        starts.setdefault(secret[:RUN], set()).add(secret)
    for path, content in files.items():
        begun = {content[at : at + RUN] for at in range(len(content))} & starts.keys()
        assert not [secret for start in begun for secret in starts[start] if secret in content], path.name
