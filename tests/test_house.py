"""The architecture: what may import what, a command line that answers at once, and helps whose examples run."""

import ast
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result
from support.planted import QUICK, ROWS

import irene
from irene.command import COMMANDS, main

ROOT = Path(irene.__file__).parents[1]
ROOMS = ("audit", "sanitizer", "reports")
MODULES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
NAMED = re.compile(r"(\w+(?:\.\w+)+):\w+")
"""A `package.module:attribute` in a string is an import that waits."""


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (found := NAMED.fullmatch(node.value)):
            yield found[1]


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


FORBIDDEN = {
    "audit": ("sanitizer", "reports", "irene"),
    "sanitizer": ("reports", "irene"),
    "reports": ("sanitizer", "irene", "torch", "torchvision", "sklearn", "lightning_fabric"),
}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_imports_upward(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    assert [name for name in imported(path) if within(name, *FORBIDDEN[room])] == []


def test_reports_take_from_the_audit_its_evidence_alone() -> None:
    allowed = tuple(
        f"audit.{name}"
        for name in ("evidence", "readings", "tradeoff_evidence", "record", "verdict", "errors", "files")
    )
    names = {name for path in (ROOT / "reports").rglob("*.py") for name in imported(path) if within(name, "audit")}
    assert names
    assert [name for name in names if not within(name, *allowed)] == []


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=lambda p: p.parent.name)
def test_a_package_is_a_docstring_only(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout


def test_a_report_is_made_without_torch(before: Path, tmp_path: Path) -> None:
    arguments = ["report", str(before), "-o", str(tmp_path / "report.html")]
    code = (
        f"import sys\nfrom irene.command import main\nmain({arguments!r}, standalone_mode=False)\n"
        "print([m for m in ('torch', 'sklearn', 'sanitizer') if m in sys.modules])"
    )
    assert python(code).splitlines()[-1] == "[]"


def test_help_answers_in_a_third_of_a_second() -> None:
    def seconds() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "irene", "--help"], capture_output=True, cwd=ROOT, check=True)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < 0.3


def test_no_help_imports_torch() -> None:
    code = (
        "import sys\nfrom irene.command import COMMANDS, main\n"
        "for name in COMMANDS:\n"
        "    main([name, '--help'], standalone_mode=False)\n"
        "heavy = ('torch', 'numpy', 'sklearn', 'pandas', 'matplotlib', 'pydantic', 'jinja2', 'rich')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert python(code).splitlines()[-1] == "[]"


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


def examples(of: click.Command) -> list[list[str]]:
    """Return the arguments of each line after `Example:`, which must be the end of the help."""
    _, mark, text = (of.help or "").partition("Example:\n")
    assert mark, f"{of.name} has no example"
    lines = [shlex.split(line) for line in text.replace("\\\n", " ").strip().splitlines()]
    assert all(line[0] == "irene" for line in lines), f"{of.name} does not end in its example"
    return [line[1:] for line in lines]


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_every_help_ends_in_an_example_that_parses(name: str | None) -> None:
    shown = examples(main if name is None else command(name))
    assert shown
    for called, *arguments in shown:
        assert name in (None, called)
        command(called).make_context(called, arguments)


def test_the_examples_of_the_four_jobs_run_one_after_the_other(
    leaky: Path, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out/demo").mkdir(parents=True)
    shutil.copy(leaky, "out/demo/model.safetensors")
    after = f"audit out/clean.safetensors {ROWS} {QUICK} -o out/after.json"
    steps = [
        *((" ".join(line), "") for line in examples(command("layers"))),
        *((" ".join(line), QUICK) for line in examples(command("audit"))),
        *((" ".join(line), "--epochs 1 --limit-rows 700") for line in examples(command("sanitize"))),
        (after, ""),
        *((" ".join(line), "") for line in examples(command("report"))),
    ]
    for example, less in steps:
        result = run(example, less)
        assert result.exit_code == 0, f"irene {example}: {result.output}"
    made = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").iterdir() if path.is_file()}
    clean = {"clean.safetensors", "clean.safetensors.json", "clean.pt2", "clean.pt2.json"}
    assert made == {"before.json", *clean, "after.json", "report.html"}


def test_the_version_is_the_same_everywhere(run: Callable[..., Result]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert run("--version").stdout.strip() == f"irene, version {version}"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"irene(?:-audit)?[ =~v]+(\d+\.\d+\.\d+)", readme)) <= {version}
