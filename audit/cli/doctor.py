"""The command `irene doctor`: what is installed here, what is missing, and how to get it."""

import importlib.metadata
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Mapping

import click

PACKAGE = "irene-audit"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
NEEDED = ""
"""Stands for what irene cannot do without, where an extra has a name."""
FOR_OTHERS = ("test",)
"""Extras that nobody needs who only uses it."""


@click.command()
def doctor() -> None:
    """Print versions, devices, and which extras are ready or missing, with the command that installs each.

    Exit code 1 where a package is missing that irene cannot do without. Paste what it prints into a report of a fault.

    \b
    Example:
      irene doctor
    """
    wanted = requirements()
    click.echo(f"irene     {installed(PACKAGE)}, Python {platform.python_version()}, {platform.platform(terse=True)}")
    missing = [name for name in wanted[NEEDED] if installed(name) is None]
    told = ", ".join(f"{name} {installed(name)}" for name in wanted[NEEDED] if name not in missing)
    click.echo(f"packages  {told}")
    click.echo(f"devices   {_devices()}")
    click.echo(f"space     {shutil.disk_usage(tempfile.gettempdir()).free / 1e9:.0f} GB free for temporary files")
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    click.echo(f"browser   {'found, for irene report --pdf' if browser else 'none: irene report --pdf needs one'}")
    for extra, names in sorted(wanted.items()):
        if extra not in (NEEDED, *FOR_OTHERS):
            lacking = [name for name in names if installed(name) is None]
            way = f"missing {', '.join(lacking)}: pip install '{PACKAGE}[{extra}]'"
            click.echo(f"extra     {extra}: {way if lacking else 'ready'}")
    if missing:
        raise click.ClickException(f"Missing: {', '.join(missing)}. Install irene again: pip install {PACKAGE}.")


def installed(name: str) -> str | None:
    """Return the version of a package that is installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def requirements() -> Mapping[str, list[str]]:
    """Return the packages that irene declares, by the extra that needs them."""
    found: dict[str, list[str]] = {NEEDED: []}
    for line in importlib.metadata.requires(PACKAGE) or []:
        extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        name = re.match(r"[\w.-]+", line)
        if name:
            found.setdefault(extra[1] if extra else NEEDED, []).append(name[0])
    return found


def _devices() -> str:
    cores = f"{os.cpu_count()} CPU cores"
    try:
        import torch
    except (ImportError, OSError) as error:  # half-installed
        return f"{cores}; PyTorch does not start ({type(error).__name__})"
    if not torch.cuda.is_available():
        return f"{cores}, no CUDA"
    names = ", ".join(torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count()))
    return f"{cores}, CUDA: {names}"
