"""The table of methods, and the card by which each introduces itself to the reports."""

import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from pydantic import ValidationError

from audit.errors import IreneError
from audit.evidence.method_card import MethodCard
from sanitizer.method_table import METHODS, card_of, make_method
from sanitizer.methods.irene import Irene

OWN = """
from dataclasses import dataclass
from audit.evidence.method_card import MethodCard
from sanitizer.methods.base import Objective

CARD = {card}

@dataclass(frozen=True)
class Mine:
    weight: float = 1.0
    def start(self, setting):
        return Objective()
"""


def test_every_method_has_a_card_and_no_two_look_or_read_alike() -> None:
    cards = [card_of(make_method(name, {})) for name in METHODS]
    for told in ("description", "mark", "light", "dark"):
        assert len({getattr(card, told) for card in cards}) == len(METHODS) == 14
    assert all(card and card.description[0].islower() and not card.description.endswith(".") for card in cards)


def test_a_users_module_declares_its_own_card(tmp_path: Path) -> None:
    card = MethodCard(description="does as it likes", mark="*", light="#123456", dark="#abcdef")
    (tmp_path / "mine.py").write_text(OWN.format(card=repr(card)), encoding="utf-8")
    assert card_of(make_method(f"{tmp_path}/mine.py:Mine", {})) == card
    (tmp_path / "wrong.py").write_text(OWN.format(card="'blue'"), encoding="utf-8")
    with pytest.raises(IreneError, match=r"CARD in irene_user_wrong is a str. Make it an audit\.evidence"):
        make_method(f"{tmp_path}/wrong.py:Mine", {})


def test_a_method_whose_module_declares_none_has_no_card() -> None:
    @dataclass(frozen=True)
    class Derived(Irene):
        pass

    assert card_of(Derived()) is None


@pytest.mark.parametrize(
    "wrong", [{"mark": "x"}, {"light": "#0B5394"}, {"dark": "red"}, {"description": "a" * 201}, {"description": ""}]
)
def test_a_card_that_no_report_could_draw_is_refused(wrong: dict[str, str]) -> None:
    right = {"description": "does it", "mark": "o", "light": "#0b5394", "dark": "#7ab8f5"}
    MethodCard.model_validate(right)
    with pytest.raises(ValidationError):
        MethodCard.model_validate(right | wrong)


def test_a_card_is_read_without_torch() -> None:
    watched = ("torch", "numpy", "sanitizer")
    code = f"import sys, audit.evidence.method_card; print([m for m in {watched} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


SETTINGS = [(name, one.name) for name in METHODS for one in fields(make_method(name, {}))]  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "setting"), SETTINGS)
def test_what_is_no_value_of_a_setting_is_refused_in_one_line(method: str, setting: str) -> None:
    for value in ("abc", float("nan"), float("inf"), -1, 1e7, [1], *([] if setting == "conditional" else [True])):
        with pytest.raises(IreneError, match=rf"^{setting} is .*\. Give [^.]*(\.[0-9]+)?\.$"):
            make_method(method, {setting: value})


@pytest.mark.parametrize(
    ("method", "setting", "value"),
    [
        ("irene", "inner_steps", 0.5),
        ("codebook", "levels", 0),
        ("rebias", "sigma", 0),
        ("lff", "q", 0),
        ("lff", "momentum", 1),
    ],
)
def test_a_value_that_would_divide_by_nothing_or_never_move_is_refused(method: str, setting: str, value: float) -> None:
    with pytest.raises(IreneError, match=rf"^{setting} is {value}\. Give "):
        make_method(method, {setting: value})
