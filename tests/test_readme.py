"""What the README tells a newcomer to type runs."""

import re
import shlex
import sys
import textwrap
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from torch import nn

from irene.command import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
FACTORY = """
from torch import nn
def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 2))
"""


def blocks(language: str) -> list[str]:
    found = re.findall(r"(?ms)^ *```(\w*)\n(.*?)^ *```$", README)  # pairs of fences, in order
    return [textwrap.dedent(body) for name, body in found if name == language]


def shell_lines() -> list[str]:
    joined = "\n".join(blocks("")).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.startswith("irene ")]


def trained(model: nn.Module, inputs: torch.Tensor, classes: torch.Tensor) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), classes).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def test_there_is_something_to_run() -> None:
    assert len(blocks("python")) == 2
    assert len(shell_lines()) >= 7


@pytest.mark.parametrize("line", shell_lines())
def test_every_command_line_parses(line: str) -> None:
    name, *arguments = shlex.split(line)[1:]
    command = main.get_command(click.Context(main), name)
    assert command is not None
    command.make_context(name, arguments)


def test_the_python_examples_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mymodels", raising=False)  # of another test
    (tmp_path / "mymodels.py").write_text(FACTORY)
    generator = np.random.default_rng(0)
    images = torch.from_numpy(generator.normal(size=(800, 3, 2, 2)).astype(np.float32))
    namespace = {
        "images": images,
        "smiling": np.where(images[:, 0, 0, 0] > 0, "yes", "no"),
        "gender": np.where(images[:, 1, 0, 0] > 0, "f", "m"),
        "age": 40 + 10 * images[:, 2, 0, 0].numpy(),
        "person": np.arange(800) // 2,
    }
    import mymodels  # type: ignore[import-not-found]  # noqa: PLC0415 - written a line above

    model = mymodels.build()
    trained(model, images, (images[:, 0, 0, 0] > 0).long())
    torch.save(model.state_dict(), "model.pt")
    for block in blocks("python"):
        exec(block, namespace)
    assert {"model.pt", "clean.pt", "clean.pt.json", "report.html"} <= {path.name for path in tmp_path.iterdir()}
