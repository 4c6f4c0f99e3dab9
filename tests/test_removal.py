"""What removal.py is asked for is what it runs: a mistyped arm would be written down under a name that it is not."""

import sys
from pathlib import Path

import click
import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from removal import ARMS, named


def test_a_semicolon_stands_for_a_comma_in_a_name() -> None:
    asked = "untouched,irene; conditional,codebook; reweighed"
    assert named(asked, ARMS, "--arms") == ["untouched", "irene, conditional", "codebook, reweighed"]


def test_a_name_that_is_not_known_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="'untuched' is none of: untouched; plain"):
        named("untouched,untuched", ARMS, "--arms")
