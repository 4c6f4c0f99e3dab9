"""What the tests and the make targets rest on: marks, skips that fail where they must, the lowest versions."""

import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.machine import lacking

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_what_is_lacking_is_skipped_and_fails_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IRENE_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no browser"):
        lacking("browser", "no browser")
    monkeypatch.setenv("IRENE_REQUIRE", "data, browser")
    with pytest.raises(pytest.fail.Exception, match="no browser, and IRENE_REQUIRE has browser"):
        lacking("browser", "no browser")
    with pytest.raises(pytest.skip.Exception, match="no CUDA"):
        lacking("gpu", "no CUDA")


def test_files_that_are_marked_slow_exist() -> None:
    slow = runpy.run_path(str(ROOT / "tests" / "conftest.py"))["SLOW"]
    assert slow <= {path.name for path in (ROOT / "tests").rglob("test_*.py")}


def test_every_dependency_has_a_lowest_version_that_make_lowest_installs() -> None:
    script = [sys.executable, str(ROOT / ".ci" / "lowest.py")]
    constraints = subprocess.run(script, capture_output=True, text=True, check=True).stdout.split()
    assert len(constraints) == len(PROJECT["dependencies"])
    assert "numpy==2.0.*" in constraints
    with pytest.raises(ValueError, match="numpy does not say"):
        runpy.run_path(script[1])["lowest"]("numpy")


def test_ci_fails_for_want_of_a_browser() -> None:
    assert "export IRENE_REQUIRE=browser" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
