"""The public interface: what it names is there, costs nothing until it is used, and reaches a type checker."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray

import irene
from audit.data.columns import Column
from audit.data.labelled import LabelledData
from audit.data.sources.digits import load as digits

ROOT = Path(__file__).parents[1]
FUNCTIONS = (
    "load load_released labelled audit audit_embeddings plan sanitize sanitize_embeddings sweep write_report gate "
    "read_audit write_audit"
)
VALUES = (
    "AuditResult Encoder IreneError LabelledData Losses Provenance SanitizeOptions Settings SweepOptions __version__"
)
RIGHT = """
import numpy
import torch
from torch import nn

import irene

rows = irene.labelled(torch.zeros(400, 4), {"v": ["a", "b"] * 200}, group=list(range(400)))
settings = irene.Settings(seed=1, limit=0.1)
encoder = irene.Encoder(nn.Linear(4, 2), batch_size=8)
found = irene.audit(encoder, rows, private="v", layer=["logits"], settings=settings)
irene.write_report("report.html", found)
again = irene.read_audit("audit.json")
code: int = irene.gate(again, found, limit=0.05, losses=irene.Losses(task=0.02, kept=0.05)).exit_code
loaded = irene.load("model.pt", "mymodels:build", {"width": 3})
wide: int = irene.plan(found, rows=300).choice.size
running = irene.load_released("clean.pt", lambda: nn.Linear(4, 2)).eval()
irene.sanitize(loaded, rows, "clean.pt", task="v", private="v", options=irene.SanitizeOptions(epochs=2))
irene.sanitize_embeddings({"face": numpy.zeros((400, 4))}, rows, "clean.npz", private="v", method="leace")
points = irene.sweep(lambda: loaded, rows, rows, "sweep.json", methods={"irene": [0.5]}, task="v", private="v")
version: str = irene.__version__
"""
"""A user's program, which a type checker accepts."""
WRONG = {
    "irene.audit(3, None, private='v')": "arg-type",
    "irene.audit(encoder, rows, private='v', attackers='mlp')": "call-arg",
    "irene.gate(found).passed_it": "attr-defined",
    "irene.gait(found)": "attr-defined",
    "number: int = irene.__version__": "assignment",
    "irene.labelled([1, 2])": "call-arg",
}
"""Lines that it must refuse, and the kind of error."""


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout


def test_it_names_what_the_documentation_names() -> None:
    assert sorted(irene.__all__) == dir(irene) == sorted(f"{FUNCTIONS} {VALUES}".split())


@pytest.mark.parametrize("name", irene.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    value = getattr(irene, name)
    assert value is getattr(irene, name)
    assert isinstance(value, str) or value.__doc__


def test_type_checkers_and_programs_are_told_of_the_same_homes() -> None:
    tree = ast.parse(Path(str(irene.__file__)).read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for block in tree.body if isinstance(block, ast.If)
        for node in block.body if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }  # fmt: skip
    assert typed == {name: getattr(irene, name).__module__ for name in irene.__all__ if name != "__version__"}


def test_a_name_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'gait'; it has .*gate"):
        _ = irene.gait  # type: ignore[attr-defined]


def test_importing_it_imports_nothing_else() -> None:
    heavy = "torch numpy sklearn pandas pydantic jinja2 click audit sanitizer reports importlib.metadata"
    code = f"import sys, irene\nirene.__all__, dir(irene)\nprint([m for m in {heavy.split()} if m in sys.modules])"
    assert python(code) == "[]\n"


def test_a_gate_needs_no_torch() -> None:
    code = "import sys, irene\nirene.gate, irene.read_audit, irene.write_report\nprint('torch' in sys.modules)"
    assert python(code) == "False\n"


def example() -> str:
    """Return the program in the docstring of the package."""
    lines = str(irene.__doc__).splitlines()
    return "\n".join(line.removeprefix("    ") for line in lines if line.startswith("    "))


def test_the_example_of_the_docstring_runs_on_real_digits(
    leaky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mymodels", raising=False)  # of another test
    (tmp_path / "mymodels.py").write_text("from audit.model.example_networks import small_convnet as build\n")
    torch.save(safetensors.torch.load_file(leaky), "model.pt")
    data = digits("audit")
    first = np.arange(1000)

    def answers(rows: LabelledData) -> dict[str, NDArray[Any]]:
        digit, colour = rows.columns["digit"], rows.columns["colour"]
        assert isinstance(digit, Column)
        assert isinstance(colour, Column)
        return {"smiling": np.asarray(digit.classes)[digit.codes], "gender": colour.codes % 2}  # two are read sooner

    training = digits("train")
    namespace = {
        "images": torch.stack([data.inputs[int(i)] for i in first]),
        **{name: values[first] for name, values in answers(data).items()},
        "person": first,
        "train_rows": irene.labelled(training.inputs, answers(training)),
    }
    program = example()
    assert 8 <= len(program.splitlines()) <= 13
    exec(program, namespace)
    advised, verdict = capsys.readouterr().out.splitlines()
    assert advised == "--method codebook"
    assert verdict in ("PASS", "FAIL", "INCONCLUSIVE")
    assert {"clean.pt", "clean.pt.json", "report.html"} <= {path.name for path in tmp_path.iterdir()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout and unpacked by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    for typed in (
        ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheel"), str(ROOT)],
        ["install", "--no-deps", "--no-index", "--target", str(folder / "site"), *["irene-audit"],
         "--find-links", str(folder / "wheel")],
    ):  # fmt: skip
        done = subprocess.run([*pip, *typed], capture_output=True, text=True, cwd=folder, check=False)
        assert done.returncode == 0, done.stderr
    return folder


def checked(installed: Path, program: str) -> str:
    """Type-check a program against the installed packages, far from the checkout, and return what is wrong with it."""
    (installed / "user.py").write_text(program, encoding="utf-8")
    typed = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=cache", "user.py"]
    environment = {"PYTHONPATH": str(installed / "site")}  # searched as site-packages are: for what says it has types
    done = subprocess.run(typed, capture_output=True, text=True, cwd=installed, env=environment, check=False)
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_wheel_holds_the_packages_their_types_and_their_templates(installed: Path) -> None:
    (wheel,) = (installed / "wheel").iterdir()
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"{room}/py.typed" for room in ("audit", "sanitizer", "reports", "irene")} <= names
    assert {"irene/command.py", "reports/templates/page.html.j2", "reports/compliance/provisions.toml"} <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]
    code = f"import sys; sys.path.insert(0, {str(installed / 'site')!r}); import irene.command as c; print(c.__file__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=installed, check=True)
    assert done.stdout.startswith(str(installed))


@pytest.mark.slow
def test_a_users_program_is_type_checked_against_the_installed_packages(installed: Path) -> None:
    said = checked(installed, RIGHT + "\n".join(WRONG) + "\n")
    errors = [line for line in said.splitlines() if line.startswith("user.py:") and ": error: " in line]
    found = {int(line.split(":")[1]): line for line in errors}
    first = len(RIGHT.splitlines()) + 1
    assert sorted(found) == list(range(first, first + len(WRONG))), said
    for number, (line, kind) in enumerate(WRONG.items(), first):
        assert any(one.startswith(f"user.py:{number}:") and f"[{kind}]" in one for one in errors), line
