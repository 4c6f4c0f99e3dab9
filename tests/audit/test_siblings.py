"""A file of the user's imports the files beside it, wherever irene is run; what its code raises takes one line."""

from pathlib import Path

import pytest

from audit.errors import IreneError
from audit.plugins import resolve


def folder(place: Path, value: int) -> str:
    (place / "nested_parts").mkdir(parents=True)
    (place / "own.py").write_text(
        "import parts_beside\nfrom nested_parts.deep import deep\n"
        "def value():\n    import late_beside\n    return parts_beside.value, deep, late_beside.value\n"
    )
    (place / "parts_beside.py").write_text(f"value = {value}\n")
    (place / "late_beside.py").write_text(f"value = {value}\n")
    (place / "nested_parts" / "__init__.py").write_text("")
    (place / "nested_parts" / "deep.py").write_text("import parts_beside\ndeep = parts_beside.value\n")
    return f"{place}/own.py:value"


def test_a_file_imports_what_lies_beside_it_and_not_what_lies_beside_another(tmp_path: Path) -> None:
    one = resolve(folder(tmp_path / "a", 1), "thing")
    assert one() == (1, 1, 1)
    two = resolve(folder(tmp_path / "b", 2), "thing")
    assert two()[:2] == (2, 2), "another folder's file of the same name is not taken"


@pytest.mark.parametrize(
    ("code", "fact"),
    [
        ("def f(:\n", r"is no Python: .* \(own.py, line 1\)"),
        ("x = {}['a']\n", r"failed with KeyError: 'a' \(own.py, line 1\)"),
        ("import os\nfrom os import nothing_there\n", r"failed with ImportError: cannot import name .*line 2\)"),
        ("import no_such_module\n", "no module named 'no_such_module'"),
    ],
)
def test_what_a_file_raises_while_it_is_imported_takes_one_line(tmp_path: Path, code: str, fact: str) -> None:
    (tmp_path / "own.py").write_text(code)
    with pytest.raises(IreneError, match=fact):
        resolve(f"{tmp_path}/own.py:f", "architecture")
