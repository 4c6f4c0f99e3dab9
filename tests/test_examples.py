"""The examples run, say what is kept of them, and are listed in the manual."""

import ast
import importlib
import importlib.util
from pathlib import Path

import gallery
import pytest
import run as runner

ROOT = Path(__file__).parents[1]
SCRIPTS = [ROOT / "examples" / f"{name}.py" for name in runner.NAMES]


def imported(tree: ast.Module) -> set[tuple[str, str | None]]:
    """Return every module that is imported, with each name that is taken from it."""
    found: set[tuple[str, str | None]] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(one.name, None) for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {(str(node.module), one.name) for one in node.names}
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_example_says_what_is_learned_and_how_long_it_takes_and_imports_what_exists(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    told = ast.get_docstring(tree) or ""
    assert "You learn" in told and "2 cores" in told
    assert f"python examples/{script.name}" in told
    for module, name in imported(tree):
        if module == "transformers" and importlib.util.find_spec(module) is None:
            continue
        assert name is None or name in dir(importlib.import_module(module)), f"{module} has no {name}"


def test_every_example_is_listed_and_its_output_is_kept() -> None:
    page = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    assert [name for name in runner.NAMES if f"](../examples/{name}.py)" not in page] == []
    assert {path.stem for path in (ROOT / "examples" / "outputs").iterdir()} == set(runner.NAMES)
    others = {"run", "gallery"}
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} - others == set(runner.NAMES)


@pytest.mark.parametrize(
    ("kept", "now", "is_same"),
    [
        ("PASS: 50.0 % of 10", "PASS: 53.1 % of 10", True),
        ("PASS: 50.0 % of 10", "PASS: 59.1 % of 10", False),
        ("PASS: 50.0 % of 10", "PASS: 50.0 % of 11", False),
        ("PASS: 50.0 %", "FAIL: 50.0 %", False),
        ("AUC 0.91", "AUC 0.95", True),
        ("AUC 0.91", "AUC 0.81", False),
    ],
)
def test_words_and_whole_numbers_have_to_be_the_same_and_figures_near(kept: str, now: str, is_same: bool) -> None:
    assert runner.same(kept, now) is is_same


@pytest.mark.slow
def test_the_quickest_example_says_what_is_kept_of_it() -> None:
    kept = (runner.OUTPUTS / "tabular.txt").read_text(encoding="utf-8")
    assert runner.same(kept, runner.printed("tabular"))


def test_each_report_of_the_gallery_is_told_of_and_drawn_small() -> None:
    page = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    for name in gallery.EVIDENCE:
        picture = ROOT / "docs" / "pictures" / f"gallery-{name}.png"
        assert f"`{name}.html`" in page
        assert f'src="pictures/{picture.name}"' in page
        assert picture.stat().st_size <= 60_000
    assert page.count('src="pictures/gallery-') == len(gallery.EVIDENCE) == 8
