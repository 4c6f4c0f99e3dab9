"""Hypothesis changes valid files of strangers for some seconds, and none ends in a traceback, 2 GB or 20 s.

`python benchmarks/fuzz.py` does the same for as long as it is told, with new inputs each time.
"""

from pathlib import Path

import fuzz
import pytest

pytestmark = pytest.mark.slow
INPUTS = {"checkpoint": 40, "embeddings": 40, "table": 40, "metadata": 40, "image": 80, "evidence": 40, "config": 80}


@pytest.mark.parametrize("name", fuzz.NAMES)
def test_a_changed_file_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    found = fuzz.run(name, tmp_path, seconds=60, seed=0, inputs=INPUTS[name])
    assert found.findings == {}
    assert found.inputs > 0
