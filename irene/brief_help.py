"""Help that fits a screen: `--help` shows a command's common options, `--help-all` every one and the whole text."""

from collections.abc import Mapping
from inspect import cleandoc

import click

IN_FULL = f"{__name__}.in_full"
"""The key of a context's memory that all of the help is asked for."""
_MODEL = "arch arch-arg data transform features text"
COMMON: Mapping[str, frozenset[str]] = {
    name: frozenset(common.split())
    for name, common in {
        "layers": _MODEL,
        "audit": f"{_MODEL} group task private keep layer limit budget output",
        "sanitize": f"{_MODEL} group task private keep method output",
        "sweep": f"{_MODEL} group task private methods weights epochs output",
        "report": "side-by-side dpia answers csv pdf framework output",
        "check": "before limit private task-drop report junit markdown policy",
    }.items()
}
"""Of the commands whose help is longer than a screen, the options that the common case takes; help itself is one."""
SHORT: Mapping[str, str] = {
    "arch": "Who builds the model: torchvision.models:NAME, timm:NAME, hf:FOLDER, file.py:factory, …",
    "arch-arg": "An argument of it, such as num_classes=2.",
    "data": "Whose rows: a folder of images, a table (.csv, .parquet, …), file.py:factory, digits, …",
    "text": "A table's column of texts.",
    "features": "A table's columns that the model takes: age,hours.",
}
"""What some of them are told to be in one or two lines; the whole help says all of it."""


class BriefCommand(click.Command):
    """A command with a short help beside the whole one."""

    @staticmethod
    def of(command: click.Command) -> click.Command:
        """Return the same command with both; itself where the whole help is short, and --help-all gives it too."""
        if command.name not in COMMON:
            if SAME not in command.params:
                command.params.append(SAME)
            return command
        if HELP_ALL not in command.params:
            command.params.append(HELP_ALL)
        return BriefCommand(command.name, callback=command.callback, params=command.params, help=command.help)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first paragraph, and those that are set as they stand: lists, and the example."""
        if ctx.meta.get(IN_FULL):
            super().format_help_text(ctx, formatter)
            return
        first, *others = cleandoc(self.help or "").split("\n\n")
        kept = [first, *(one for one in others if one.lstrip().startswith("\b"))]
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("\n\n".join(kept))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the common options, and how many others there are."""
        if ctx.meta.get(IN_FULL):
            super().format_options(ctx, formatter)
            return
        offered = [one for one in self.get_params(ctx) if isinstance(one, click.Option)]
        common = [one for one in offered if _name(one) in COMMON[str(self.name)] or one is HELP_ALL]
        with formatter.section("Common options"):
            formatter.write_dl([_short(one, record) for one in common if (record := one.get_help_record(ctx))])
        formatter.write_paragraph()
        formatter.write_text(f"{len(offered) - len(common)} more options: {ctx.command_path} --help-all")


def _name(option: click.Option) -> str:
    return max(option.opts, key=len).lstrip("-")


def _short(option: click.Option, record: tuple[str, str]) -> tuple[str, str]:
    """Return the line of an option with its short text, if it has one, in the place of the whole."""
    left, text = record
    return left, text.replace(option.help or text, SHORT.get(_name(option), option.help or text), 1)


def _show(context: click.Context, _option: click.Parameter, is_asked: bool) -> None:
    if is_asked and not context.resilient_parsing:
        context.meta[IN_FULL] = True
        click.echo(context.get_help(), color=context.color)
        context.exit()


def _help_all(*, hidden: bool) -> click.Option:
    return click.Option(
        ["--help-all"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show,
        help="Show every option.",
        hidden=hidden,
    )


HELP_ALL, SAME = _help_all(hidden=False), _help_all(hidden=True)
