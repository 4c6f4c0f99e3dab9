"""The same figures wherever attackers run, workers that are lost, and what is refused."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from support.planted import FEW

from audit.data.labelled import LabelledData, labelled
from audit.data.on_disk import filed
from audit.errors import DataError, IreneError, UnknownNameError
from audit.parallel.backends import imported, workers
from audit.parallel.side_by_side import Work, side_by_side, together
from audit.run import audit_embeddings
from audit.settings import Settings

OWN = """
from sklearn.neighbors import KNeighborsClassifier

class Own(KNeighborsClassifier):
    def __init__(self, n_neighbors=9):
        super().__init__(n_neighbors)
"""
N = 6000


def rows() -> tuple[dict[str, Any], LabelledData]:
    """Return vectors, as large as a mapped file, that tell a label, and the label."""
    generator = np.random.default_rng(0)
    v, y = generator.integers(0, 2, N), generator.integers(0, 3, N)
    z = generator.normal(size=(N, 48)).astype(np.float32)
    z[:, 0] += v
    z[:, 1] += y
    names = {"v": np.where(v, "a", "b"), "y": y.astype(str)}
    return {"z": filed([z], N)}, labelled(np.zeros((N, 1)), names)


def evidence(settings: Settings) -> dict[str, Any]:
    layers, data = rows()
    found = audit_embeddings(layers, data, private="v", task="y", predicted="y", settings=settings).model_dump()
    return {name: value for name, value in found.items() if name != "created"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    own = tmp_path_factory.mktemp("own") / "own.py"
    own.write_text(OWN, encoding="utf-8")
    return replace(FEW, attackers=("logistic", "products", f"{own}:Own"))


@pytest.fixture(scope="module")
def here(settings: Settings) -> dict[str, Any]:
    """The evidence of one thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        return evidence(settings)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a Dask scheduler on loopback with two workers."""
    dask = pytest.importorskip("distributed")
    with dask.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=50,
    ) as cluster:
        yield cluster.scheduler_address.removeprefix("tcp://")


def loses_nothing(folder: Path) -> None:
    """Kill a worker, and let others refuse."""

    def dies_once(item: int) -> int:
        mark = folder / "killed"
        if item == 1 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 10 * item

    def refuses(item: int) -> None:
        raise DataError(f"Row {item} is missing. Give it.") if item == 2 else UnknownNameError("row", "tow", ["two"])

    assert side_by_side(dies_once, range(4)) == [0, 10, 20, 30]
    assert (folder / "killed").exists()
    with pytest.raises(DataError, match=r"^Row 2 is missing. Give it.$"):
        side_by_side(refuses, [2])
    with pytest.raises(UnknownNameError, match="Did you mean 'two'"):
        side_by_side(refuses, [3])
    with pytest.raises(ZeroDivisionError) as told:
        side_by_side(lambda item: item // 0, [3])
    assert "In a worker" in told.value.__notes__[0]


def test_several_pieces_of_work_are_done_together_and_each_is_given_its_own() -> None:
    one = Work(lambda item: item + 1, [1, 2], sum)
    other = Work(len, ["a", "bb", "ccc"], list)
    assert together(one, Work(str, [], list), other) == [5, [], [1, 2, 3]]
    assert together() == []


def test_figures_of_two_threads_and_of_two_processes_are_those_of_one_thread(
    here: dict[str, Any], settings: Settings, two: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(here["findings"][0]["measurement"]["attackers"]) == 7
    assert evidence(settings) == here
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with joblib.parallel_config("loky"):  # of the user's, which wins over threads
        assert evidence(settings) == here
    assert [*tmp_path.glob("irene-*")] == []  # nothing mapped is left


def test_figures_of_two_dask_workers_are_those_of_one_thread(
    here: dict[str, Any], settings: Settings, scheduler: str
) -> None:
    assert evidence(replace(settings, backend=f"dask://{scheduler}")) == here


def test_a_dask_worker_that_is_killed_loses_nothing(scheduler: str, tmp_path: Path) -> None:
    with workers(f"dask://{scheduler}"):
        loses_nothing(tmp_path)


def test_a_process_that_is_killed_loses_nothing(two: None, tmp_path: Path) -> None:
    with joblib.parallel_config("loky"):
        loses_nothing(tmp_path)


def test_processes_read_rows_where_they_lie_and_end_with_the_work(two: None) -> None:
    z = filed([np.ones((300_000, 2), dtype=np.float32)], 300_000)
    asked: Callable[[int], tuple[int, float]] = lambda item: (os.getpid(), float(z.sum()) + item)  # noqa: E731
    with workers("processes"):
        found = side_by_side(asked, range(2))
        assert [value for _, value in found] == [600_000, 600_001]
        assert os.getpid() not in [process for process, _ in found]
    with pytest.raises(ProcessLookupError):
        os.kill(found[0][0], 0)
    assert side_by_side(asked, [0]) == [(os.getpid(), 600_000)]


def test_processes_start_and_import_while_their_work_is_prepared_and_keep_the_memory_that_they_free(
    two: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "1000000")  # a user's own stays
    before = dict(os.environ)
    asked: Callable[[int], tuple[int, bool, dict[str, str]]] = lambda _: (  # noqa: E731
        os.getpid(), "tabnanny" in sys.modules, dict(os.environ)
    )  # fmt: skip
    with imported("processes", "tabnanny") as ready:
        ready()
        with workers("processes", "tabnanny"):
            found = side_by_side(asked, range(4))
    assert all(there for _, there, _ in found)
    for _, _, environment in found:
        assert environment["MALLOC_TRIM_THRESHOLD_"] == "1000000000"
        assert environment["MALLOC_MMAP_THRESHOLD_"] == "1000000"
    assert dict(os.environ) == before
    for process, _, _ in found:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    with imported("threads", "no.such.module") as ready:
        ready()


def test_processes_that_are_killed_every_time_are_told_in_one_line(two: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.parallel.side_by_side.ATTEMPTS", 1)
    with workers("processes"), pytest.raises(IreneError, match=r"^Workers were lost .*LOKY_MAX_CPU_COUNT=2"):
        side_by_side(lambda _: os.kill(os.getpid(), signal.SIGKILL), range(2))


def test_a_dask_cluster_of_its_own_does_the_work(two: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    pytest.importorskip("cryptography")
    for name in ("MALLOC_TRIM_THRESHOLD_", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)  # that a cluster of another test left here
    with workers("dask"):
        found = side_by_side(lambda item: (item, os.getpid(), dict(os.environ)), range(4))
        assert [item for item, _, _ in found] == [0, 1, 2, 3]
        assert os.getpid() not in {process for _, process, _ in found}
        for _, _, environment in found:
            assert "MALLOC_TRIM_THRESHOLD_" not in environment
            assert environment["OMP_NUM_THREADS"] == "1"  # the rest of what Dask gives its workers


@pytest.mark.parametrize("name", ["thread", "processes://host:1", "dask://", "slurm"])
def test_an_unknown_backend_is_refused_before_any_work(name: str) -> None:
    with pytest.raises(UnknownNameError, match="Known: threads, processes, dask, ray, dask://HOST:8786"):
        Settings(backend=name)


@pytest.mark.parametrize(("name", "package"), [("dask", "distributed"), ("ray://head:10001", "ray")])
def test_what_to_install_is_told_where_it_is_missing(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(IreneError, match=rf"needs {package}.*pip install 'irene-audit\[{name.partition(':')[0]}\]'"):
        Settings(backend=name)


def test_a_scheduler_that_does_not_answer_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("audit.parallel.backends.SECONDS", 1)
    with (
        pytest.raises(IreneError, match=r"^No Dask scheduler .* answers at 127.0.0.1:9"),
        workers("dask://127.0.0.1:9"),
    ):
        pass


def test_a_script_without_a_guard_is_told_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    pytest.importorskip("cryptography")
    script = tmp_path / "own.py"
    script.write_text("from audit.parallel.backends import workers\nwith workers('dask'):\n    print('inside')\n")
    told = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=200)
    assert told.returncode == 1
    assert told.stdout == ""
    assert 'call irene below if __name__ == "__main__"' in told.stderr.strip().splitlines()[-1]
