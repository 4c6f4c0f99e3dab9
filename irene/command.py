"""The command `irene`: each subcommand is imported when it runs, so that --help answers at once."""

import atexit
import importlib
import os
import signal
import sys
import threading
from typing import IO, Any, NoReturn

import click

from audit.cli.config_file import CONFIG
from audit.errors import IreneError, visible
from irene.brief_help import BriefCommand

COMMANDS = {
    "demo": ("sanitizer.cli.demo:demo", "Train, audit, sanitize, audit again and report, on embedded real data."),
    "layers": ("audit.cli.layers:layers", "List a checkpoint's layers and the suggested bottleneck."),
    "audit": ("audit.cli.audit:audit", "Measure what can be read of a private attribute at a bottleneck."),
    "plan": ("sanitizer.cli.plan:plan", "Tell which release can reach a limit, and what it keeps, before training."),
    "sanitize": ("sanitizer.cli.sanitize:sanitize", "Fine-tune the encoder so that less of the attribute can be read."),
    "sweep": ("sanitizer.cli.sweep:sweep", "Draw task accuracy against fresh leakage, over methods and weights."),
    "report": (
        "reports.cli.report:report",
        "Write one offline HTML file: an audit, before and after, several models, or a sweep.",
    ),
    "check": ("reports.cli.check:check", "Pass or fail a build by what an audit found."),
    "verify": (
        "audit.cli.evidence:verify",
        "Compute anew the hashes that link evidence to checkpoints, and check signatures.",
    ),
    "sign": ("audit.cli.sign:sign", "Sign evidence and checkpoints with a key of your own."),
    "schema": ("audit.cli.evidence:schema", "Print the JSON Schema of the evidence."),
    "doctor": ("audit.cli.doctor:doctor", "Print versions, devices, and what is missing."),
}
"""Every command: where it is, and its line in --help."""


class LazyGroup(click.Group):
    """A group that imports a command when it runs, and tells a user's mistake in one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember what was typed, for the evidence."""
        ctx.meta["arguments"] = list(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names, in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command, let it take its options from a file, and give it a help that fits a screen."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        if CONFIG not in command.params:
            command.params.append(CONFIG)
        return BriefCommand.of(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line; SIGTERM ends it as Ctrl-C does."""
        if threading.current_thread() is not threading.main_thread():
            return super().main(*args, **extra)
        before = signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().main(*args, **extra)
        finally:
            signal.signal(signal.SIGTERM, before)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; what it says is wrong becomes one line and exit code 1, a stop one and 130 or 143."""
        try:
            return super().invoke(ctx)
        except IreneError as error:
            raise click.ClickException(" ".join(str(error).split())) from None
        except KeyboardInterrupt as stopped:
            kind = Ended if isinstance(stopped, Terminated) else Stopped
            raise kind(visible(str(stopped) or "Stopped. No file is half-written.")) from None
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise click.UsageError(visible(error.format_message()), error.ctx) from None  # it may quote a file


class Terminated(KeyboardInterrupt):
    """What SIGTERM raises: everything cleans up behind it as behind Ctrl-C."""


class Stopped(click.ClickException):
    """Ctrl-C came; the exit code is the one that a shell gives."""

    exit_code = 128 + signal.SIGINT

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line, without calling it an error."""
        click.echo(self.message, file=file or sys.stderr)


class Ended(Stopped):
    """SIGTERM came."""

    exit_code = 128 + signal.SIGTERM


def _terminate(_signal: int, _frame: object) -> NoReturn:
    raise Terminated


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="irene-audit", prog_name="irene")
def main() -> None:
    """Find, remove and document what a trained PyTorch model leaks about private attributes.

    \b
    Example:
      irene demo
    """


def run() -> None:
    """Be the command `irene`, and end the process.

    A stopped one ends at once: threads of PyTorch that still train an attacker abort a Python that is being taken
    down around them, with a line and an exit code of their own.
    """
    try:
        main(prog_name="irene")
    except SystemExit as left:
        if left.code in (Stopped.exit_code, Ended.exit_code):
            atexit._run_exitfuncs()  # temporary files go
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(left.code)
        raise
