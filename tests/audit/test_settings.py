"""Settings of an audit: defaults that fit the attackers there are, and refusals in one line."""

import pytest

from audit.attackers import families
from audit.errors import IreneError
from audit.settings import ATTACKERS, Settings


def test_every_attacker_there_is_attacks_unless_the_user_says_otherwise() -> None:
    assert ATTACKERS == tuple(families.ATTACKERS) == Settings().attackers


@pytest.mark.parametrize(
    ("name", "value"), [("bootstrap", 39), ("fit_rows", 0), ("null_refits", 1), ("limit", -0.1), ("limit", 5)]
)
def test_a_setting_that_measures_nothing_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(IreneError, match=f"{name} is {value}"):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_one_attacker_may_be_named_by_a_text() -> None:
    assert Settings(attackers="logistic") == Settings(attackers=["logistic"])


def test_several_attackers_may_be_named_in_one_text() -> None:
    assert Settings(attackers="logistic, products") == Settings(attackers=["logistic", "products"])
