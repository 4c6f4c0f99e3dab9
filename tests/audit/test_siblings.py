"""A file of the user's imports the files beside it, wherever irene is run, and nobody else sees them."""

import importlib.util
import sys
from pathlib import Path

import pytest

from audit.plugins import Siblings, resolve


def folder(place: Path, value: int) -> str:
    (place / "nested_parts").mkdir(parents=True)
    (place / "own.py").write_text(
        "import parts_beside\nfrom nested_parts.deep import deep\n"
        "def value():\n    import late_beside\n    return parts_beside.value, deep, late_beside.value\n"
    )
    (place / "parts_beside.py").write_text(f"value = {value}\n")
    (place / "late_beside.py").write_text(f"import statistics\nvalue = {value}\n")
    (place / "nested_parts" / "__init__.py").write_text("")
    (place / "nested_parts" / "deep.py").write_text("import parts_beside\ndeep = parts_beside.value\n")
    (place / "statistics.py").write_text("raise SystemExit('a file beside shadows the standard library')\n")
    return f"{place}/own.py:value"


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    assert "parts_beside" not in sys.modules


def test_a_file_imports_what_lies_beside_it_now_and_later_and_nobody_else_does(tmp_path: Path) -> None:
    before = list(sys.path)
    import statistics  # noqa: F401, PLC0415 - as scikit-learn has it already

    one = resolve(folder(tmp_path / "a", 1), "thing")
    assert one() == (1, 1, 1)
    assert sys.path == before
    assert importlib.util.find_spec("nested_parts_of_nobody") is None
    sys.modules.pop("parts_beside")
    assert importlib.util.find_spec("parts_beside") is None, "code outside of the folder does not see it"
    two = resolve(folder(tmp_path / "b", 2), "thing")
    assert two() == (2, 2, 2), "another folder's file of the same name is not taken"
    for name in ("parts_beside", "late_beside", "nested_parts", "nested_parts.deep"):
        sys.modules.pop(name, None)
    Siblings.folders.clear()
