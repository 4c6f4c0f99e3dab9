"""Rows on the disk: nobody else reads them, nothing of them is left, and a full disk is told in one line."""

import resource
import tempfile
from pathlib import Path

import numpy as np
import pytest

from audit.data.on_disk import filed
from audit.errors import IreneError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_mapped_rows_have_no_name_that_a_killed_run_could_leave(folder: Path) -> None:
    rows = np.ones((50, 4), np.float32)
    found = filed([rows, rows], 100)
    assert np.array_equal(found, np.ones((100, 4)))
    assert list(folder.iterdir()) == []


def test_a_disk_without_room_for_the_rows_is_told_before_they_are_written(folder: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with pytest.raises(IreneError, match=f"do not fit into {folder}: File too large. Name a folder"):
            filed([np.ones((50, 4), np.float32)], 1_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(folder.iterdir()) == []
