"""The tables of removal are what removal.py prints of its runs, and it runs what it is asked for."""

import sys
from pathlib import Path

import click
import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import kept
import shots
import torch
from cases import Case
from removal import ARMS, named, read
from removal_tables import rich, table, when
from torch import nn

from audit.data.labelled import labelled
from sanitizer.job import Recipe

HERE = Path(__file__).parents[1]
RUNS = read(HERE / "benchmarks" / "removal.jsonl")
KEPT = read(HERE / "benchmarks" / "kept.jsonl")
SETS = list(dict.fromkeys(one["set"] for one in RUNS))
RESULTS = (HERE / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
README = (HERE / "README.md").read_text(encoding="utf-8")
PAGE = (HERE / "docs" / "removal.md").read_text(encoding="utf-8")
ON_PAGE = {
    "**codebook** (the default)": "codebook (ours, for the task)",
    "**codebook**, `--reweigh`": "codebook, reweighed",
    "plain fine-tuning, `--reweigh`": "plain fine-tuning, reweighed",
    "**rich** (with `--keep`)": "rich (ours, with --keep)",
    "**rich**, nothing named to keep": "rich (ours, with --keep)",
}
"""How the page calls an arm, where it does not call it as the script does."""


def test_runs_of_the_tables_are_kept() -> None:
    assert len(SETS) >= 5


@pytest.mark.parametrize("name", SETS)
def test_results_have_the_table_that_the_script_prints(name: str) -> None:
    assert table(RUNS, name, ARMS) + "\n\n" in RESULTS


@pytest.mark.parametrize("name", dict.fromkeys(one["set"] for one in KEPT))
def test_results_have_the_table_of_what_is_kept(name: str) -> None:
    assert kept.table(KEPT, name) + "\n\n" in RESULTS


@pytest.mark.parametrize(("text", "most"), [(README, 7), (PAGE, 10)], ids=["readme", "page"])
def test_readme_and_page_have_the_figures_of_what_is_kept(text: str, most: int) -> None:
    start = text.index("| model and rows | release | read above")
    rows = [cells(line) for line in text[start : text.index("\n\n", start)].splitlines()[2:]]
    assert len(rows) >= most
    for name, *told in rows:
        printed = [cells(line)[:6] for line in kept.table(KEPT, name).splitlines()]
        assert told in printed, (name, told[0])


def test_results_have_what_the_rich_release_comes_to_and_when() -> None:
    results = [line.strip() for line in RESULTS.splitlines()]
    assert rich(RUNS, SETS)
    assert all(line in results for line in rich(RUNS, SETS).splitlines())
    assert when(RUNS) in results


def test_every_arm_has_three_seeds() -> None:
    rows = in_results()
    assert {name for name, _ in rows} >= set(SETS)
    assert all(row[1] == "3" for row in rows.values())


def test_the_page_has_the_same_figures() -> None:
    printed, start = in_results(), PAGE.index("| model and rows | arm | seeds |")
    rows = [cells(line) for line in PAGE[start : PAGE.index("\n\n", start)].splitlines()[2:]]
    assert len(rows) > 30
    for name, arm, *told in rows:
        row = printed[name, ON_PAGE.get(arm, arm)]
        assert told == [*row[1:5], row[6]], (name, arm)


def in_results() -> dict[tuple[str, str], list[str]]:
    """Return the rows of removal's tables by set and arm."""
    rows, name = {}, ""
    for line in RESULTS[: RESULTS.index("What was asked, and what came")].splitlines():
        if line.startswith("**"):
            name = line[2 : line.index("** (")]
        if line.startswith("| ") and not line.startswith("| arm"):
            rows[name, cells(line)[0]] = cells(line)
    return rows


def cells(line: str) -> list[str]:
    """Return the cells of a Markdown row."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_semicolon_stands_for_a_comma_in_a_name() -> None:
    asked = "untouched,irene; conditional,codebook; reweighed"
    assert named(asked, ARMS, "--arms") == ["untouched", "irene, conditional", "codebook, reweighed"]


def test_a_name_that_is_not_known_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="'untuched' is none of: untouched; plain"):
        named("untouched,untuched", ARMS, "--arms")


def test_views_of_a_photograph_stand_behind_each_other_with_its_labels() -> None:
    red_green_blue = 0.1 + 0.6 * torch.eye(3)[:, :, None, None] + 0.1 * torch.rand(3, 3, 64, 64)
    photographs = shots.CAMERA.transforms[-1](red_green_blue)
    rows = labelled(photographs, {"smile": ["yes", "no", "yes"], "sex": ["f", "m", "m"]})
    case = Case(nn.Identity(), rows, rows, "smile", "sex", "fc:input", Recipe(1), Recipe(1))
    seen = shots.views(case).rows
    assert len(seen) == 3 * shots.VIEWS
    assert seen.codes("sex").tolist() == [0] * shots.VIEWS + [1] * 2 * shots.VIEWS
    images = torch.stack([seen.inputs[row] for row in range(len(seen))]).reshape(3, shots.VIEWS, 3, 64, 64)
    assert images.shape[2:] == photographs.shape[1:]
    assert all(not one[0].equal(other) for one in images for other in one[1:])  # each is another view
    assert images.mean(dim=(3, 4)).argmax(dim=2).tolist() == [[place] * shots.VIEWS for place in range(3)]
