"""Points of a sweep in workers: those of one process, in order and whole, though a worker is killed."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from support.planted import FEW

from audit.data.sources.opening import open_data
from audit.errors import UnknownNameError
from audit.evidence.sweep_result import SweepPoint, read_sweep, title
from audit.model.checkpoint import LoadedModel, load
from sanitizer.options import SweepOptions
from sanitizer.sweep.run import sweep

VARYING = {"train_seconds", "audit_seconds", "created"}


def swept(leaky: Path, output: Path, backend: str, fatal: Path | None = None) -> list[SweepPoint]:
    """Sweep few rows; a process that would make another point than the first is killed once if a file is to mark it."""
    here, begun = os.getpid(), output.with_suffix(".begun")

    def fresh() -> LoadedModel:
        if fatal and os.getpid() != here and begun.exists() and not fatal.exists():
            fatal.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if os.getpid() != here:
            begun.touch()
        return load(leaky, "small-convnet")

    train, audited = (open_data("digits", part, {}).limited(600, seed=0) for part in ("train", "audit"))
    few = replace(FEW, attackers="logistic")
    options = SweepOptions(epochs=1, batch_size=128, settings=few, backend=backend)
    methods: dict[str, list[float]] = {"plain": [], "irene": [0.5]}
    made = sweep(fresh, train, audited, output, methods=methods, task="digit", private="colour", options=options)
    return [point for point, _ in made]


@pytest.mark.slow
def test_points_of_processes_are_those_of_one_and_a_killed_one_is_made_again(
    leaky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    one = swept(leaky, tmp_path / "one.json", "threads")
    several = swept(leaky, tmp_path / "several.json", "processes", tmp_path / "killed")
    assert (tmp_path / "killed").exists()
    assert [title(point.method, point.weight) for point in several] == ["untouched", "plain", "irene 0.5"]
    alike = [[point.model_dump(exclude=VARYING) for point in points] for points in (one, several)]
    assert alike[0] == alike[1]
    assert read_sweep(tmp_path / "several.json").points == several


def test_an_unknown_backend_is_refused_before_any_work(leaky: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown backend 'thread'\. Did you mean 'threads'"):
        swept(leaky, tmp_path / "sweep.json", "thread")
