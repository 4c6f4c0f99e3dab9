"""`irene sanitize`, killed before a file gets or loses its name: no program stands beside weights of another run."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from kill import dying, ended, files, give, left, prepared, run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork there")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sanitize codebook", "sanitize irene"])
def test_a_killed_sanitize_is_completed_to_the_same_bits_and_is_never_mixed(name: str, tmp_path: Path) -> None:
    give(tmp_path / "given")
    place = prepared(name, tmp_path)
    out = place.folder / "out"
    assert ("clean.pt2" in place.old, "clean.pt2" in place.new) == (True, name == "sanitize codebook")
    outcomes = []
    for move in range(place.moves - 7, place.moves, 2):
        shutil.rmtree(out)
        shutil.copytree(place.folder / "old", out)
        assert ended(run(place.command.split(), place.folder, dying(move))) == -signal.SIGKILL
        outcomes.append(left(files(out), place.old, place.new))
        again = [*place.command.split(), *(["--resume"] if (out / "clean.pt.state").exists() else [])]
        assert ended(run(again, place.folder)) == 0, (place.folder / ".log").read_text()
        assert files(out) == place.new
        assert {path.name for path in out.iterdir()} == set(place.new), "something is left"
    assert "MIXED" not in outcomes
    assert "resumable" in outcomes
