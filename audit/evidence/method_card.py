"""How a removal method introduces itself to the reports: one clause, one mark, one colour on light and dark paper."""

from typing import Annotated, Literal

from pydantic import Field

from audit.evidence.json_file import Frozen, Text

Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
Mark = Literal["o", "s", "D", "d", "^", "v", "<", ">", "P", "X", "p", "h", "H", "8", "*"]
"""A filled matplotlib marker: shapes tell the methods apart without colour."""


class MethodCard(Frozen):
    """What a method's module declares beside its class, as `CARD`."""

    description: Annotated[Text, Field(min_length=1, max_length=200)]
    """What the method does, in one clause that follows its name: no capital at its start, no full stop."""
    mark: Mark
    light: Colour
    """On light paper."""
    dark: Colour
    """On dark paper."""
