"""What the README and the pages of docs/ tell a newcomer to type runs."""

import re
import shlex
import sys
import textwrap
import tomllib
from pathlib import Path

import click
import numpy as np
import pytest
import torch
import yaml
from torch import nn

from irene.command import COMMANDS, main

ROOT = Path(__file__).parents[1]
README, MODEL = ROOT / "README.md", ROOT / "docs" / "model.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
OF_OTHERS = {"--pictures"}
"""Options of scripts that are told in the line before."""
FACTORY = """
from torch import nn
def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 2))
"""


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"(?ms)^ *```(\w*)\n(.*?)^ *```$", text)  # pairs of fences, in order
    return [textwrap.dedent(body) for name, body in found if name == language]


def lines(page: Path) -> list[str]:
    joined = "\n".join([*blocks(page, ""), *blocks(page, "sh")]).replace("\\\n", " ")
    return [line.partition("  # ")[0].strip() for line in joined.splitlines() if line.strip()]


def shell_lines(page: Path) -> list[str]:
    return [line for line in lines(page) if line.startswith("irene ")]


def inline(page: Path) -> list[str]:
    """Return what stands between backticks in the prose of a page, each in one line."""
    prose = re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"))
    return [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", prose)]


def options(name: str) -> set[str]:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return {option for one in command.params for option in one.opts}


def trained(model: nn.Module, inputs: torch.Tensor, classes: torch.Tensor) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), classes).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def test_there_is_something_to_run() -> None:
    assert (len(blocks(MODEL, "python")), len(blocks(README, "python"))) == (2, 1)
    assert len(shell_lines(README)) >= 10
    assert sum(len(shell_lines(page)) for page in PAGES) > 30


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.is_file(), target
        if anchor:
            headings = re.findall(r"(?m)^#+ (.*)$", there.read_text(encoding="utf-8"))
            assert anchor in map(anchor_of, headings), target


def anchor_of(heading: str) -> str:
    """Return what GitHub calls a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def within(line: str) -> str | None:
    """Return the call of irene in a line, also of torchrun or docker; None if there is none."""
    found = re.match(r"(?:torchrun .* -m |docker run .* )?(irene [a-z]+ .*)$", line)
    return found[1] if found else None


@pytest.mark.parametrize("line", dict.fromkeys(one for page in PAGES for one in map(within, lines(page)) if one))
def test_every_command_line_parses(line: str) -> None:
    name, *arguments = shlex.split(line)[1:]
    command = main.get_command(click.Context(main), name)
    assert command is not None
    command.make_context(name, arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_in_the_prose_of_a_page_exists(page: Path) -> None:
    offered = {name: options(name) for name in COMMANDS}
    for span in inline(page):
        called = re.match(r"irene ([a-z]+)", span)
        if called or span.startswith("--"):
            known = offered[called[1]] if called else set.union(*offered.values(), OF_OTHERS)
            assert set(re.findall(r"(?<!\S)--[a-z][\w-]+", span)) <= known, span


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_script_that_a_page_calls_exists_and_has_the_options(page: Path) -> None:
    shared = options("audit")  # train.py takes the groups of options that tell a model and rows
    for line in (one for one in (*lines(page), *inline(page)) if one.startswith("python ")):
        path, *arguments = shlex.split(line.partition(" > ")[0])[1:]
        code = (ROOT / path).read_text(encoding="utf-8")
        named = {one for one in arguments if one.startswith("--")}
        assert [one for one in named - shared if f'"{one}"' not in code] == [], line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_can_be_read(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, page.name, "exec")
    for block in blocks(page, "toml"):
        tomllib.loads(block)
    for block in blocks(page, "yaml"):
        assert yaml.safe_load(block)


def test_the_files_that_the_page_of_models_shows_are_those_of_its_commands() -> None:
    (table,) = blocks(MODEL, "csv")
    columns = table.splitlines()[0].split(",")
    named = re.findall(r"--(?:task|private|group) (\w+)", "\n".join(shell_lines(MODEL)[:4]))
    assert {"file_name", "split", *named} == set(columns)
    (text,) = blocks(MODEL, "toml")
    config = tomllib.loads(text)
    assert {f"--{name}" for name in config.pop("sanitize")} <= options("sanitize")
    assert {f"--{name}" for name in config} <= options("audit")


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
    for block in (*blocks(MODEL, "python"), *blocks(README, "python")):
        exec(block, namespace)
    assert {"model.pt", "clean.pt", "clean.pt.json", "report.html"} <= {path.name for path in tmp_path.iterdir()}
