"""What stands in a file of a stranger's is shown in one way everywhere: spelled out where it is not seen."""

import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch import nn

from audit.errors import IreneError, UnknownNameError, first_line, in_one_line, listed, visible
from irene.command import main

ODD = "\x1b[31m\u202e\u2066\x07\x9b\x7f\u200b\u2028\U000e0041<script>alert(1)</script>|`]]>"
"""ESC, a right-to-left override, an isolate, BEL, CSI, DEL, no width, an end of a line, a tag, and markup."""
RAW = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2061-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)
"""All of that, but the end of a line, and the joiner that parts a call in Markdown."""
NETWORK = """
from torch import nn
ODD = {odd!r}
def network():
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
def odd():
    found = network()
    found.add_module(ODD.replace(".", ""), nn.Identity())
    return found
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("gender", "gender"),
        ("Größe 身長 C:\\new", "Größe 身長 C:\\new"),
        ("a\x00b\x1b[31m\x7f\x9b", r"a\x00b\x1b[31m\x7f\x9b"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\u202eevil\u2066\u2067\u200f\u061c", r"\u202eevil\u2066\u2067\u200f\u061c"),
        ("\u2028\u2029\u200b\u2060\ufeff\xad", r"\u2028\u2029\u200b\u2060\ufeff\xad"),
        ("\ud800\udcff", r"\ud800\udcff"),
        ("\U000e0041\U000e0100\u3164\u2800", r"\U000e0041\U000e0100\u3164\u2800"),
        ("\uffff\U0001ffff", r"\uffff\U0001ffff"),
        ("\u2068a\u2069", r"\u2068a\u2069"),
        ("\u2068שם\u202e\u2069", "\u2068שם\\u202e\u2069"),
        ("a\u2069\u2068שם", "a\\u2069\\u2068שם"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def test_an_error_shows_what_it_quotes() -> None:
    assert not RAW.search(str(IreneError(f"{ODD} is no column.\n")))
    assert not RAW.search(str(UnknownNameError("column", ODD, [ODD + "x"])))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network and a table whose columns, classes and name are odd; it is the present one."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(800, 2))
    task, private = f"y{ODD}", f"v{ODD}"
    lines = [f'a,b,split,"{task}","{private}"']
    lines += [
        f'{a},{b},{"train" if row % 2 else "test"},{"no" if a < 0 else "yes"}{ODD},"{"c" if b < 0 else "d"}\n{ODD}"'
        for row, (a, b) in enumerate(x)
    ]
    (tmp_path / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "own.py").write_text(NETWORK.format(odd=ODD), encoding="utf-8")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    torch.save(network.state_dict(), tmp_path / "model.pt")
    torch.save({f"k{ODD}": torch.zeros(2), "\x00\n": torch.zeros(1)}, tmp_path / "keys.pt")
    torch.save(network.state_dict(), tmp_path / f"m{ODD.replace('/', '')}.pt")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(*arguments: str) -> Result:
    done = CliRunner().invoke(main, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    for stream in (done.stdout, done.stderr):
        assert not RAW.search(stream), f"{arguments[0]}: {RAW.findall(stream)}"
    return done


def searched(place: Path, names: Sequence[str]) -> None:
    for name in names:
        text = (place / name).read_text(encoding="utf-8")
        assert not RAW.search(text), f"{name}: {set(RAW.findall(text))}"
        assert r"\u202e" in text, f"{name} shows no name at all"
        if name.endswith((".html", ".svg", ".xml")):
            assert "<script>alert" not in text


@pytest.mark.slow
def test_no_command_prints_or_writes_an_odd_name_raw(place: Path) -> None:
    rows = ("--arch", "own.py:network", "--data", "rows.csv", "--data-arg", 'features=["a","b"]', "--device", "cpu")
    columns = ("--task", f"y{ODD}", "--private", f"v{ODD}", "--layer", "2:input")
    quick = ("--attackers", "logistic")
    odd_file = f"m{ODD.replace('/', '')}.pt"
    audited = called("audit", odd_file, *rows, *columns, *quick, "-o", "audit.json")
    assert audited.exit_code == 0, audited.output
    assert r"\x1b[31m\u202e" in audited.stdout
    assert called("audit", odd_file, *rows, *columns, *quick, "--json", "-o", "again.json").exit_code == 0
    called("report", "audit.json", "--dpia", "-o", "page.html")
    outputs = ("--junit", "check.xml", "--markdown", "check.md", "--report", "check.html")
    called("check", "audit.json", *outputs)
    called("check", "audit.json", "--json")
    called("layers", "model.pt", "--arch", "own.py:odd", *rows[2:])
    trained = ("--allow-chance", "--epochs", "1", "--batch-size", "64")
    swept = ("sweep", "model.pt", *rows, *columns, *quick, *trained, "--methods", "plain", "-o", "sweep.json")
    done = called(*swept)
    assert done.exit_code == 0, done.output
    called("report", "sweep.json", "-o", "sweep.html")
    made = called("sanitize", "model.pt", *rows, *columns, *trained, "--method", "irene", "-o", f"clean{ODD[:6]}.pt")
    assert made.exit_code == 0, made.output
    called("verify", odd_file, "audit.json")
    searched(
        place, ["audit.json", "page.html", "page.dpia.md", "page.dpia.html", "check.xml", "check.md", "check.html"]
    )
    searched(place, ["sweep.json", "sweep.html", "sweep.svg"])


def test_no_refusal_prints_an_odd_name_raw(place: Path) -> None:
    rows = ("--data", "rows.csv", "--data-arg", 'features=["a","b"]', "--device", "cpu")
    for arguments in (
        ("audit", "keys.pt", "--arch", "own.py:network", *rows, "--private", f"v{ODD}"),
        ("audit", "model.pt", "--arch", "own.py:network", *rows, "--private", "gender"),
        ("audit", "model.pt", "--arch", "own.py:odd", *rows, "--private", f"v{ODD}", "--layer", "2:inptu"),
        ("audit", f"none{ODD}.pt", "--arch", "own.py:network", *rows, "--private", "gender"),
        ("audit", "model.pt", "--arch", "own.py:network", *rows, "--private", "x", "-o", f"{ODD}/no\udcff/"),
    ):
        done = called(*arguments)
        assert done.exit_code == 1
        assert done.output.count("\n") == 1


def test_no_name_in_a_folder_of_images_or_a_file_of_options_is_printed_raw(place: Path) -> None:
    folder = place / "images"
    folder.mkdir()
    name = ODD.replace("/", "") + ".png"
    Image.new("RGB", (8, 8)).save(folder / name)
    (folder / "broken.png").write_bytes(b"no image")
    lines = ["file_name,v", *(f'"{name}","c{ODD}"' for _ in range(20)), *(f'"broken.png","d{ODD}"' for _ in range(20))]
    (folder / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    asked = ("audit", "model.pt", "--arch", "own.py:network", "--data", "images", "--private", "v")
    assert called(*asked).exit_code == 1
    assert called(*asked, "--private", "w").exit_code == 1
    escaped = "".join(f"\\U{ord(mark):08x}" for mark in ODD)
    for content in (
        f'"x{escaped}" = 1',
        f'private = {{"{escaped}" = 1}}',
        f'device = "{escaped}"',
        f'seed = "{escaped}"',
    ):
        (place / "options.toml").write_text(content, encoding="utf-8")
        assert called(*asked, "--config", "options.toml").exit_code in (1, 2)


def test_a_name_of_megabytes_takes_no_time_and_no_line_of_its_length() -> None:
    long = "\0" * 10_000_000
    begin = time.process_time()
    shown = [listed([long, "b"]), in_one_line(ValueError(long)), first_line(ValueError(long))]
    assert time.process_time() - begin < 1
    assert max(map(len, shown)) < 10_000
    assert shown[0].endswith("…, b")
