"""Options as typed values: a group and its dataclass name the same options, and lists are read in one way."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import click
import pytest

from audit.cli import audit
from audit.cli.options import (
    MODEL,
    ORDER,
    RARE,
    ROWS,
    SOURCE,
    ModelOptions,
    Names,
    Options,
    OrderOptions,
    RareOptions,
    RowOptions,
    SourceOptions,
    with_options,
)


def taken(group: Sequence[Callable[[Any], Any]]) -> list[str]:
    command = click.command()(with_options(group)(lambda **_: None))
    return [str(parameter.name) for parameter in command.params]


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        (MODEL, ModelOptions),
        (SOURCE, SourceOptions),
        (ROWS, RowOptions),
        (RARE, RareOptions),
        (ORDER, OrderOptions),
    ],
    ids=["model", "data", "rows", "rare classes", "order"],
)
def test_a_group_of_options_is_one_value_with_a_field_for_each(
    group: Sequence[Callable[[Any], Any]], kind: type[Options]
) -> None:
    assert [field.name for field in fields(kind)] == taken(group)


def test_every_option_of_the_audit_is_a_field_of_one_value() -> None:
    kinds = (audit.AuditOptions, ModelOptions, SourceOptions, RowOptions, RareOptions, OrderOptions)
    names = [field.name for kind in kinds for field in fields(kind)]
    assert sorted(names) == sorted(str(parameter.name) for parameter in audit.audit.params if parameter.expose_value)


def test_names_are_a_tuple_whether_typed_or_from_a_file() -> None:
    command = click.Command(
        "c", params=[click.Option(["--private"], type=Names()), click.Option(["--keep"], type=Names())]
    )
    context = command.make_context("c", ["--private", " a, b+c,,a"], default_map={"keep": "d,e"})
    assert context.params == {"private": ("a", "b+c"), "keep": ("d", "e")}
    assert command.make_context("c", ["--keep", ","]).params == {"private": None, "keep": ()}


def test_a_source_is_given_what_was_typed_and_nothing_else() -> None:
    nothing: dict[str, object] = {field.name: None for field in fields(SourceOptions)} | {"data_arg": ()}
    source = SourceOptions.of(nothing | {"data": "x", "group": "g", "rho": 0.5, "data_arg": ("n=3",), "stray": 1})
    assert source.for_source() == {"rho": 0.5, "n": 3}
    with pytest.raises(click.UsageError, match="no row that trains a model"):
        SourceOptions.of(nothing | {"data_arg": ("part=train",)}).for_source()
