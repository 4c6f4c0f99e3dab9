"""The cards of irene's own removal methods, as records and sweeps carry them."""

from importlib import import_module

from audit.evidence.method_card import MethodCard
from sanitizer.method_table import METHODS


def card(method: str) -> MethodCard | None:
    """Return the card of one of irene's methods; None for any other, as of a file of somebody's own without one."""
    if method not in METHODS:
        return None
    found: MethodCard = vars(import_module(METHODS[method].partition(":")[0]))["CARD"]
    return found
