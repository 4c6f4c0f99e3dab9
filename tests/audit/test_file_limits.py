"""A stranger's file takes the memory and the time that its size warrants, and anything else ends in one line."""

import io
import json
import os
import pickle
import re
import signal
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from audit.data.files.contents import InFolder
from audit.data.files.image_file import survey
from audit.data.files.table_file import read_table
from audit.data.sources import image_folder
from audit.data.sources.embeddings import read_embeddings
from audit.data.sources.file_rows import Images
from audit.data.transforms import image_transform
from audit.errors import IreneError, UnreadableError
from audit.evidence.checks.verify import verify
from audit.evidence.json_file import read_json
from audit.file_limits import MOST_COLUMNS, MOST_DOTTED, read_toml, require_plausible, told
from audit.model.checkpoint import load
from irene.command import main
from reports.compliance.mapping import load as framework
from reports.inputs.files import read_given

GB = 10**9


@pytest.fixture(autouse=True)
def _twenty_seconds() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError("it hung")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def image(path: Path) -> object:
    survey(InFolder(path.parent, [path.name], path.name))
    return Images(InFolder(path.parent, [path.name], path.name), image_transform("unit", image_size=None))[0]


def config(path: Path) -> None:
    done = CliRunner().invoke(main, ["layers", "model.pt", "--config", str(path)])
    assert done.exit_code == 1 and done.exception.__class__ is SystemExit
    raise IreneError(done.output)


READERS: dict[str, Callable[[Path], object]] = {
    "a.pt": load, "a.safetensors": load, "a.pt2": load, "a.npz": read_embeddings, "a.npy": read_embeddings,
    "b.parquet": read_embeddings, "a.parquet": read_table, "a.csv": read_table, "a.tsv": read_table,
    "a.jsonl": read_table, "a.png": image, "a.tiff": image, "a.toml": config, "b.toml": framework,
    "a.json": lambda path: read_given([path]), "b.pt": lambda path: verify([path]),
}  # fmt: skip


def refusal(path: Path) -> str:
    with pytest.raises(IreneError) as caught:
        READERS[path.name](path)
    assert "\n" not in str(caught.value).strip() and "[Errno" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", READERS)
def test_no_reader_waits_for_a_pipe_or_reads_a_device(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    refusal(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    refusal(path)


def test_a_table_beside_embeddings_and_the_metadata_of_a_folder_may_be_pipes(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 2), np.float32))
    os.mkfifo(tmp_path / "metadata.csv")
    with pytest.raises(IreneError, match="is a pipe, no regular file"):
        read_embeddings(tmp_path / "a.npy", table=tmp_path / "metadata.csv")
    with pytest.raises(IreneError, match=r"No metadata\.csv"):
        image_folder.load(tmp_path, "audit", transform="unit")


def test_a_pipe_in_the_place_of_an_image_is_an_image_that_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(UnreadableError, match=r"it is a pipe, no regular file\. Restore"):
        image(tmp_path / "a.png")


def npy_head(shape: tuple[int, ...], kind: str = "<f4") -> bytes:
    head = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head


def zipped(path: Path, parts: list[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts:
            archive.writestr(name, content)


def test_an_array_that_declares_more_than_it_holds_is_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    zipped(tmp_path / "a.npz", [("z.npy", npy_head((10**10, 1)) + bytes(4))])
    assert (tmp_path / "a.npz").stat().st_size < 600
    assert "declares 40.0 GB" in refusal(tmp_path / "a.npz")
    (tmp_path / "a.npy").write_bytes(npy_head((10**10, 1)) + bytes(4))
    assert "Cannot read" in refusal(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["a.npz", "a.pt", "a.pt2"])
def test_an_archive_that_unfolds_a_thousandfold_is_refused_unread(name: str, tmp_path: Path) -> None:
    zipped(tmp_path / name, [("a/data.pkl", b"x" * 0x1234)])
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content.replace(struct.pack("<I", 0x1234), struct.pack("<I", 4 * 10**9)))
    assert "declares 4.0 GB" in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["a.npz", "a.pt", "a.pt2"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_names_a_part_twice_is_refused(name: str, tmp_path: Path) -> None:
    zipped(tmp_path / name, [("a/data.pkl", b"x"), ("a/data.pkl", b"y")])
    assert "two parts 'a/data.pkl'" in refusal(tmp_path / name)


def test_an_archive_with_an_endless_list_of_parts_is_refused_unread(tmp_path: Path) -> None:
    zipped(tmp_path / "a.pt", [("a/data.pkl", b"x")])
    content = bytearray((tmp_path / "a.pt").read_bytes())
    content[-10:-6] = struct.pack("<I", 2 * GB)
    (tmp_path / "a.pt").write_bytes(content)
    assert "list of parts has 2.0 GB" in refusal(tmp_path / "a.pt")


@pytest.mark.parametrize("told", [True, False])
def test_the_longer_of_two_lengths_of_a_list_of_parts_counts(told: bool, tmp_path: Path) -> None:
    zipped(tmp_path / "a.pt", [("a/data.pkl", b"x")])
    whole = (tmp_path / "a.pt").read_bytes()
    parts, end = whole[:-22], whole[-22:]
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 20, 20, 0, 0, 1, 1, 2 * GB, 0)
    place = len(parts) if told else 0
    (tmp_path / "a.pt").write_bytes(parts + record + struct.pack("<IIQI", 0x07064B50, 0, place, 1) + end)
    assert "list of parts has 2.0 GB" in refusal(tmp_path / "a.pt")


@pytest.mark.parametrize("zip_format", [True, False])
def test_weights_that_are_views_of_one_number_are_refused_before_they_are_looked_at(
    zip_format: bool, tmp_path: Path
) -> None:
    content = {"w": torch.zeros(1).expand(10**10)}
    torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=zip_format)
    assert "declares 40.0 GB" in refusal(tmp_path / "a.pt")


def doubled(times: int) -> bytes:
    """Pickle a dictionary whose key is a tuple of two references to a tuple of two references ..."""
    opcodes = b"\x80\x02}K\1\x85q\0"
    for place in range(times):
        opcodes += b"h" + bytes([place]) + b"\x86q" + bytes([place + 1])
    return opcodes + b"K\1s."


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_key_of_endless_tuples_within_tuples_is_refused_unread(is_zip: bool, tmp_path: Path) -> None:
    assert len(next(iter(pickle.loads(doubled(3))))) == 2
    if is_zip:
        zipped(tmp_path / "a.pt", [("a/data.pkl", doubled(60)), ("a/version", b"3\n")])
    else:
        (tmp_path / "a.pt").write_bytes(doubled(60))
    assert "tuple of endless parts" in refusal(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("name", "fact"),
    [(b"x" * 50_000, "the name of a class in 50,006 characters"), ("é".encode() * 50_000, "a name that is not ASCII")],
    ids=["long", "not ASCII"],
)
@pytest.mark.parametrize("parts", ["zip", "zip with another before", "legacy"])
def test_a_class_whose_name_takes_seconds_to_be_quoted_is_refused_unread(
    parts: str, name: bytes, fact: str, tmp_path: Path
) -> None:
    pickled = b"\x80\x02ctorch\n" + name + b"\n."
    if parts == "legacy":
        (tmp_path / "a.pt").write_bytes(pickled)
    else:
        harmless = [("a/other_data.pkl", b"\x80\x02}.")] if parts == "zip with another before" else []
        zipped(tmp_path / "a.pt", [*harmless, ("a/data.pkl", pickled), ("a/version", b"3\n")])
    start = time.process_time()
    assert fact in refusal(tmp_path / "a.pt")
    assert time.process_time() - start < 2


def test_a_list_of_tensors_that_is_longer_than_any_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", 2**40) + b"{}")
    assert "list of tensors has 1.1 TB" in refusal(tmp_path / "a.safetensors")


def test_rows_and_text_that_a_parquet_file_holds_once_and_repeats_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array(np.zeros(70_000_000, np.int8))}), tmp_path / "a.parquet")
    assert "declares 560.0 MB" in refusal(tmp_path / "a.parquet")
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(600_000, np.int32)), ["x" * 100_000])
    pq.write_table(pa.table({"a": words}), tmp_path / "b.parquet", compression="zstd", store_schema=False)
    assert "declares 60.0 GB" in refusal(tmp_path / "b.parquet")


@pytest.mark.parametrize("kind", ["lists", "structs", "views", "of one length"])
def test_text_inside_of_cells_that_parquet_holds_once_and_repeats_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.file_limits.FREELY", 2**20)
    n, long = 600, "x" * 100_000
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), [long])
    places = np.zeros((n, 4), np.int32)  # length, first letters, buffer, and place of each
    places[:, 0], places[:, 1] = len(long), int.from_bytes(b"xxxx", "little")
    views = [None, pa.py_buffer(places.tobytes()), pa.py_buffer(long.encode())]
    cells = {
        "lists": pa.ListArray.from_arrays(pa.array(range(n + 1), pa.int32()), words),
        "structs": pa.StructArray.from_arrays([words], ["s"]),
        "views": pa.Array.from_buffers(pa.string_view(), n, views),
        "of one length": pa.DictionaryArray.from_arrays(words.indices, pa.array([long.encode()], pa.binary(len(long)))),
    }[kind]
    table = pa.table({"a": np.arange(n), "b": cells})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd", store_schema=kind == "views")
    assert re.search(r"declares 60\.\d MB", refusal(tmp_path / "a.parquet"))


def test_a_table_of_more_columns_than_any_is_refused(tmp_path: Path) -> None:
    for name, mark in (("a.csv", ","), ("a.tsv", "\t")):
        (tmp_path / name).write_text(mark.join(map(str, range(100_000))) + "\n" + "1" + mark * 99_999 + "\n")
        assert "100,000 columns; 10,000 are read" in refusal(tmp_path / name)
    (tmp_path / "a.csv").write_text("a\n" + "," * 10**6 + "\n")
    assert "1,000,001 columns" in refusal(tmp_path / "a.csv")
    pq.write_table(pa.table({str(one): [1] for one in range(MOST_COLUMNS + 1)}), tmp_path / "a.parquet")
    assert "10,001 columns" in refusal(tmp_path / "a.parquet")


@pytest.mark.slow
def test_a_table_of_five_thousand_columns_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",".join(map(str, range(5000))) + "\n" + "1" + "," * 4999 + "\n")
    assert len(read_table(tmp_path / "a.csv").columns) == 5000


def test_a_line_without_an_end_is_refused(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl"):
        (tmp_path / name).write_bytes(b"a,b\n" + b'"' + b"x" * 2 * 10**7)
        assert "a line of it is longer than 16.8 MB" in refusal(tmp_path / name)


def test_lines_of_names_of_their_own_are_refused_before_they_become_a_square(tmp_path: Path) -> None:
    lines = [json.dumps({f"name{row}_{place}": 1 for place in range(1)}) for row in range(9000)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert "declares 1.3 GB" in refusal(tmp_path / "a.jsonl")


def test_an_image_is_held_to_the_size_that_its_head_declares(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "png")
    content = bytearray(file.getvalue())
    content[16:24] = struct.pack(">II", 12_000, 12_000)  # which Pillow itself only warns of
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / "a.png").write_bytes(content)
    with pytest.warns(Image.DecompressionBombWarning):
        assert "12,000 by 12,000 pixels" in refusal(tmp_path / "a.png")


def test_an_image_that_no_transform_could_scale_is_refused(tmp_path: Path) -> None:
    Image.new("L", (100_000, 1)).save(tmp_path / "a.png")
    assert "100,000 pixels wide and 1 high" in refusal(tmp_path / "a.png")


@pytest.mark.parametrize(
    "text",
    [
        "a." * (MOST_DOTTED + 1) + "a = 1",
        "a = " + "[" * 5000,
        "x = '" + "x" * 2**20 + "'",
        '"." . ' * 60 + "a = 1",
        "a = \0",
    ],
)
def test_toml_without_bounds_is_refused(text: str, tmp_path: Path) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(text)
        refusal(tmp_path / name)


def test_toml_of_people_is_read(tmp_path: Path) -> None:
    names = ", ".join(f"'feature.{place}'" for place in range(5000))
    (tmp_path / "a.toml").write_text(f"features = [{names}]\nword = '{'a.' * 40}'\n")
    assert len(read_toml(tmp_path / "a.toml")["features"]) == 5000


@pytest.mark.parametrize(
    "content", [b"[" * 10**5, b"[[" + b"[]," * 1_100_000 + b"[]]]", b'{"a": ' * 10**5, b"\xed\xa0\x80"]
)
def test_json_without_bounds_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    refusal(tmp_path / "a.json")
    with pytest.raises(IreneError):
        read_json(tmp_path / "a.json", "evidence")


def test_text_of_numbers_beyond_unicode_is_refused(tmp_path: Path) -> None:
    labels = np.array([0x41, 2**31], np.uint32).view("<U1")
    np.savez(tmp_path / "a.npz", z=np.zeros((2, 3), np.float32), label=labels)
    assert "beyond Unicode" in refusal(tmp_path / "a.npz")


def test_a_constant_column_and_honest_floats_are_no_bomb() -> None:
    require_plausible(500_000_000, 500_000)  # zeros, compressed
    require_plausible(600_000_000, 550_000_000)
    with pytest.raises(ValueError, match=r"it has 600 bytes and declares 40\.0 GB"):
        require_plausible(40 * GB, 600)
    with pytest.raises(ValueError, match="of memory"):
        require_plausible(10**18, 10**17)
    assert told(600) == "600 bytes"


def test_text_in_parquet_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    words = pa.array([b"\xed\xa0\x80", b"x"]).view(pa.string())
    pq.write_table(pa.table({"a": words}), tmp_path / "a.parquet")
    assert "UTF8" in refusal(tmp_path / "a.parquet")


def test_options_with_nul_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('arch = "a\\u0000b"\n')
    assert "holds the character NUL" in refusal(tmp_path / "a.toml")


@pytest.mark.parametrize("bytes_", [b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\x1b[31m"])
def test_odd_bytes_in_a_header_are_one_line_or_a_name(bytes_: bytes, tmp_path: Path) -> None:
    for name in ("a.csv", "a.tsv", "a.jsonl", "a.toml", "a.json"):
        (tmp_path / name).write_bytes(b'{"' + bytes_ + b'": 1}\n')
        try:
            READERS[name](tmp_path / name)
        except IreneError as error:
            assert len(str(error).strip().splitlines()) == 1
    frame = pd.DataFrame({bytes_.decode("latin-1"): [1, 2]})
    frame.to_parquet(tmp_path / "a.parquet")
    assert len(list(islice(read_table(tmp_path / "a.parquet").columns, 2))) == 1
