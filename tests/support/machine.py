"""What a test wants of the machine: a browser, real data, a GPU. It is skipped without, or fails where it must be."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

REAL = Path(__file__).parents[3] / "shared" / "data"
"""Real data sets, beside the checkout."""
KINDS = ("browser", "data", "gpu")


def required() -> list[str]:
    """Return what IRENE_REQUIRE says must be here, a list with commas."""
    return [name.strip() for name in os.environ.get("IRENE_REQUIRE", "").split(",") if name.strip()]


def lacking(kind: str, reason: str) -> NoReturn:
    """Skip the test, or fail it where that kind is required."""
    if kind in required():
        pytest.fail(f"{reason}, and IRENE_REQUIRE has {kind}", pytrace=False)
    pytest.skip(reason)
