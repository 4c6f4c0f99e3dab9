"""What `irene doctor` finds: what is declared, what is there, and how to get what is not."""

import importlib.metadata
from collections.abc import Callable

import pytest
from click.testing import Result

from audit.cli import doctor

Run = Callable[..., Result]


def test_it_tells_versions_devices_and_every_extra(run: Run) -> None:
    done = run("doctor")
    assert done.exit_code == 0, done.output
    assert f"irene     {importlib.metadata.version('irene-audit')}, Python" in done.output
    assert f"torch {importlib.metadata.version('torch')}" in done.output
    assert "CPU cores" in done.output
    extras = {line.split()[1].rstrip(":") for line in done.output.splitlines() if line.startswith("extra ")}
    assert extras == {"audio", "dask", "docx", "onnx", "ray", "sign", "text", "timm", "video"}


def test_what_is_missing_is_told_with_the_command_that_installs_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    there = doctor.installed
    monkeypatch.setattr(doctor, "installed", lambda name: None if name in ("timm", "numpy") else there(name))
    done = run("doctor")
    assert done.exit_code == 1
    assert "timm: missing timm: pip install 'irene-audit[timm]'" in done.output
    assert done.output.splitlines()[-1] == "Error: Missing: numpy. Install irene again: pip install irene-audit."
