"""What tests share: features and labels to plant leaks in, a model that leaks, its audit, and the command line."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import safetensors.torch
import torch
from click.testing import CliRunner, Result
from threadpoolctl import threadpool_limits

from audit.data.sources.opening import open_data
from audit.evidence.json_file import digest
from audit.model.example_networks import small_convnet
from irene.command import main
from sanitizer.job import Recipe, TrainingJob
from sanitizer.training.loop import fine_tune

if TYPE_CHECKING:
    from playwright.sync_api import Browser

from support.machine import KINDS, REAL, lacking, required
from support.planted import QUICK, ROWS

HERE = Path(__file__).parent
CHROMIUM = Path("/usr/bin/chromium")
TRAINED = {"leaky", "before", "bench"}
"""Fixtures that train a model."""
SLOW = {
    "test_demo.py", "test_dpia.py", "test_erasers.py", "test_golden.py", "test_hostile.py", "test_killed.py",
    "test_largest.py", "test_loader.py", "test_loop.py", "test_low_rank.py", "test_methods.py", "test_models_page.py",
    "test_page.py", "test_processes.py", "test_readme.py", "test_real_data.py", "test_release.py", "test_releases.py",
    "test_resume.py", "test_reweighting.py", "test_sweep.py", "test_sweep_page.py", "test_tradeoff_curve.py",
}  # fmt: skip
"""Files of tests that train, or draw whole pages. Single tests of other files are marked where they stand."""

OWN = """
from dataclasses import replace
import numpy as np
from torch import nn
from audit.data.columns import Column
from audit.data.sources.digits import load
from audit.model.example_networks import small_convnet
from audit.evidence.json_file import digest

def network(classes=10):
    return small_convnet(classes)

def wide():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

def rows(part, shift=0):
    data = load(part, seed=shift)
    odd = Column(data.columns["digit"].codes % 2, ("even", "odd"))
    one = Column(np.zeros(len(data), dtype=np.int64), ("same", "other"))
    return replace(data, name="mine", columns={**data.columns, "odd": odd, "constant": one})
"""


def pytest_configure() -> None:
    """Refuse what cannot be required, and give one thread to each process that a test starts."""
    os.environ["OMP_NUM_THREADS"] = "1"  # more would wait for each other where the cores are shared
    if unknown := set(required()) - set(KINDS):
        raise pytest.UsageError(f"IRENE_REQUIRE has {', '.join(sorted(unknown))}. Known: {', '.join(KINDS)}.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what opens a browser, and what is slow: by its file, or since it is about a model that has to be trained.

    Files that take long come first.
    """
    for item in items:
        wanted = set(getattr(item, "fixturenames", ()))
        if "browser" in wanted:
            item.add_marker("browser")
        if wanted & TRAINED or item.path.name in SLOW:
            item.add_marker("slow")
    items.sort(key=lambda item: item.path.name not in SLOW and item.path.parent != HERE)  # else one worker ends alone


@pytest.hookimpl(tryfirst=True)  # before fixtures are made for a test that cannot run
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look for what a test is marked to need."""
    for mark in item.iter_markers("data"):
        for name in mark.args:
            if not (REAL / name).exists():
                lacking("data", f"no {REAL / name}")
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        lacking("gpu", "no CUDA device here")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    threadpool_limits(1)


@pytest.fixture(scope="session")
def run() -> Callable[..., Result]:
    """Call `irene` with arguments; each is split at spaces unless it is a path."""

    def call(*arguments: str | Path) -> Result:
        typed: list[str] = []
        for argument in arguments:
            typed += [str(argument)] if isinstance(argument, Path) else argument.split()
        return CliRunner().invoke(main, typed)

    return call


@pytest.fixture(scope="session")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A digit classifier whose bottleneck tells the background's colour: trained on the task alone."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = small_convnet()
    recipe = Recipe(epochs=3, batch_size=128, lr=3e-3)
    fine_tune(
        model, TrainingJob(open_data("digits", "train", {}), task="digit", layer="classifier:input", recipe=recipe)
    )
    path = tmp_path_factory.mktemp("leaky") / "model.safetensors"
    safetensors.torch.save_file(model.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def before(leaky: Path, run: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evidence of an audit of the leaky model."""
    path = tmp_path_factory.mktemp("before") / "before.json"
    result = run("audit", leaky, ROWS, QUICK, "-o", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's file with networks and a data source of their own."""
    path = tmp_path_factory.mktemp("own") / "own.py"
    path.write_text(OWN, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Debian's Chromium without a window; closed with the module, since it keeps an event loop running."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra that not everyone installs
    except ImportError:
        lacking("browser", "playwright is not installed")
    if not CHROMIUM.exists():
        lacking("browser", f"no browser at {CHROMIUM}")
    with sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


class Trap:
    """Unpickling it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def bench(leaky: Path, own: Path, before: Path, tmp_path: Path) -> Path:
    """A folder of files that are each wrong in one way, beside those that are right."""
    shutil.copy(leaky, tmp_path / "model.safetensors")
    shutil.copy(own, tmp_path / "own.py")
    (tmp_path / "broken.py").write_text("def network(:\n", encoding="utf-8")
    state = safetensors.torch.load_file(leaky)
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, tmp_path / "half.pt")
    torch.save({"1.weight": torch.zeros(10, 784), "1.bias": torch.zeros(10)}, tmp_path / "wide.pt")
    torch.save({"model": small_convnet(), "trap": Trap(tmp_path / "ran")}, tmp_path / "pickled.pt")
    (tmp_path / "cut.safetensors").write_bytes(leaky.read_bytes()[:-7])
    evidence = json.loads(before.read_text(encoding="utf-8"))
    other = evidence | {"checkpoint": evidence["checkpoint"] | {"sha256": "0" * 64}}
    unlike = other | {"protocol": evidence["protocol"] | {"seed": 7}}
    for name, content in {
        "before": json.dumps(evidence),
        "text": "not JSON",
        "newer": json.dumps(evidence | {"schema_version": "4"}),
        "edited": json.dumps(other),
        "unlike": json.dumps(unlike | {"digest": digest(unlike)}),
    }.items():
        (tmp_path / f"{name}.json").write_text(content, encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "taken.safetensors.json").mkdir()
    return tmp_path
