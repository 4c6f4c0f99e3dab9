"""A stranger's TorchScript runs arithmetic and nothing else, however its code is written."""

import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from audit.errors import CheckpointError
from audit.model import checkpoint
from audit.model.programs import torchscript_code
from audit.model.programs.operators import OPERATORS

BODY = "return torch.relu(x)"
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")  # on its way out, its files are not


class Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


class Setting(nn.Module):
    """Runs code of its own while torch reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = torch.ones(3)

    @torch.jit.export
    def __getstate__(self) -> tuple[Tensor, bool]:
        return self.kept, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[Tensor, bool]) -> None:
        self.kept = torch.relu(state[0])
        self.training = state[1]

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs") / "plain.pt"
    torch.jit.save(torch.jit.script(Plain().eval()), path)
    return path


def rewritten(path: Path, to: Path, change: Callable[[str, bytes], bytes]) -> Path:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            if not name.endswith(".debug_pkl"):
                new.writestr(name, change(name, old.read(name)))
    return to


def saying(line: str, body: str = BODY) -> Callable[[str, bytes], bytes]:
    """Put a line of code before one that stands in the program."""

    def change(name: str, content: bytes) -> bytes:
        if not name.endswith(".py"):
            return content
        assert body in content.decode()
        return content.decode().replace(body, f"{line}\n    {body}").encode()

    return change


WRITING = [
    'torch. save(x, "PWNED")',
    'f = torch.save\n    f(x, "PWNED")',
    '(torch).save(x, "PWNED")',
    'torch.\\\n  save(x, "PWNED")',
    '(torch\n   .save)(x, "PWNED")',
    'ops.aten.save(x, "PWNED")',
]
"""Each of them writes a file if torch runs it, and the first hid from a search in the text."""


@pytest.mark.parametrize("line", WRITING)
def test_a_program_that_writes_a_file_is_refused_before_anything_of_it_runs(
    line: str, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = rewritten(plain, tmp_path / "a.pt", saying(line))
    with pytest.raises(CheckpointError, match=r"calls '.*save', which is no arithmetic") as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "PWNED").exists()
    torch.jit.load(path)(torch.ones(2))  # type: ignore[no-untyped-call]
    assert (tmp_path / "PWNED").exists(), "the program is harmless, and the test shows nothing"


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ('y = torch.from_file("a", True, 4)', "calls 'torch.from_file'"),
        ('_0 = x.save("a")', "calls '.*save'"),
        ('_0 = getattr(x, "save")("a")', "calls '.*save'"),
        ("_0 = getattr(x, str(x))", "calls 'None'"),
        ("f = getattr", "calls 'getattr'"),
        ('ops.image.write_file("a", x)', "calls 'ops.image.write_file'"),
        ("_0 = fork(__torch__.Plain.forward, self, x)", "calls 'fork'"),
        ('print("hello")', "calls 'print'"),
        ('o = ops\n    _0 = o.image.write_file("a", x)', "calls 'ops'"),
        ('o = ops.image\n    _0 = o.write_file("a", x)', "calls 'ops.image'"),
        ("t = torch", "calls 'torch'"),
        ("c = __torch__.torch.classes", "compiled class"),
        ("c = __torch__.torch", "compiled class"),
        ("c = __torch__", "compiled class"),
        ("torch = ops", "calls 'torch'"),
        ('_0 = __torch__.torch.classes.dist_rpc.WorkerInfo("a", 1)', "compiled class 'dist_rpc.WorkerInfo'"),
        ("_0 = torch.storage.x", "calls 'torch.storage.x'"),
        ("import os", "has a Import"),
        ("f = lambda: x", "has a Lambda"),
        ("_0 = [y for y in x]", "has a ListComp"),
        ('_0 = b"a"', "has bytes"),
        ("_0 = (", "code that cannot be read"),
        ("_0 = " + "(" * 5000, "code that cannot be read"),
        ("_0 = \x00", "code that cannot be read"),
        ("_0 = 0x" + "f" * 5000, "code that cannot be read"),
        ("_0 = " + "+".join(["x"] * 3000), "code that cannot be read"),
        ("_0 = x\n    " * 500_000, "more than 4,194,304 bytes of code"),
    ],
)
def test_code_that_saved_programs_do_not_have_is_refused_in_one_line(
    line: str, fact: str, plain: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=fact) as caught:
        checkpoint.load(rewritten(plain, tmp_path / "a.pt", saying(line)))
    assert "\n" not in str(caught.value)


def test_what_a_program_does_while_it_is_read_is_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.jit.save(torch.jit.script(Setting().eval()), tmp_path / "setting.pt")
    assert checkpoint.load(tmp_path / "setting.pt").architecture == "Setting", "__setstate__ alone is no fault"
    change = saying('torch. save(torch.zeros([1]), "PWNED")', "self.kept = ")
    path = rewritten(tmp_path / "setting.pt", tmp_path / "a.pt", change)
    with pytest.raises(CheckpointError, match=r"calls 'torch\.save'"):
        checkpoint.load(path)
    assert not (tmp_path / "PWNED").exists()
    torch.jit.load(path)  # type: ignore[no-untyped-call]
    assert (tmp_path / "PWNED").exists(), "the program is harmless, and the test shows nothing"


@pytest.mark.parametrize(
    ("pickled", "fact"),
    [
        (b"c__torch__.torch.classes.dist_rpc\nWorkerInfo\n", "compiled class 'dist_rpc.WorkerInfo'"),
        (b"cos\nsystem\n\x8c\x01a\x93", "holds a pickle with SHORT_BINUNICODE"),
        (b"\xff", "is cut off or damaged"),
    ],
)
def test_a_pickle_in_a_program_that_is_more_than_values_is_refused(
    pickled: bytes, fact: str, plain: Path, tmp_path: Path
) -> None:
    def change(name: str, content: bytes) -> bytes:
        return b"\x80\x02" + pickled + b"." if name.endswith("data.pkl") else content

    with pytest.raises(CheckpointError, match=fact):
        checkpoint.load(rewritten(plain, tmp_path / "a.pt", change))


def test_a_strangers_warning_is_not_printed(
    plain: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]
) -> None:
    path = rewritten(plain, tmp_path / "a.pt", saying('torch.warn("from a stranger", 2)'))
    x = torch.tensor([-1.0, 2.0])
    assert checkpoint.load(path).module(x).tolist() == [0, 2]
    assert not [one for one in recwarn if "stranger" in str(one.message)]
    assert "stranger" not in "".join(capfd.readouterr())


def test_no_operator_that_may_be_called_takes_a_file_name() -> None:
    assert not {"save", "load", "from_file", "set_", "set_data", "_save", "wait"} & OPERATORS["aten"]
    named = [
        (schema.name, argument.name)
        for schema in torch._C._jit_get_all_schemas()
        for namespace, _, name in [schema.name.partition("::")]
        if name in OPERATORS.get(namespace, ())
        for argument in schema.arguments
        if "file" in argument.name or "path" in argument.name
    ]
    assert named == [("aten::einsum", "path")], "the order of its products"


@pytest.mark.filterwarnings("ignore:torch.ao.quantization:DeprecationWarning", "ignore:.*quant:UserWarning")
def test_packed_weights_of_quantised_layers_are_the_compiled_classes_that_are_read(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).eval()
    quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear})  # type: ignore[no-untyped-call]
    torch.jit.save(torch.jit.script(quantised), tmp_path / "a.pt")
    x = torch.ones(1, 4)
    assert torch.equal(checkpoint.load(tmp_path / "a.pt").module(x), quantised(x))


def test_a_program_of_many_names_is_checked_in_a_moment() -> None:
    lines = "".join(f"  a{place} = a{place - 1}\n" for place in range(1, 20_000))
    source = f"def f(x: int) -> int:\n  a0 = 1\n{lines}  return a0\n".encode()
    started = time.process_time()
    assert "a19999" in torchscript_code._checked(source, Path("model.pt"))
    assert time.process_time() - started < 10  # a set made for each name takes a minute


def test_a_program_that_is_read_leaves_no_file_with_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.jit.save(torch.jit.script(Plain()), tmp_path / "model.pt")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    with torchscript_code.checked_copy(tmp_path / "model.pt") as copy:
        assert copy.read(2) == b"PK"
        assert not [*(tmp_path / "tmp").iterdir()]
