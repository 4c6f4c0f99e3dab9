"""The devices and package versions that figures were computed with."""

import importlib.metadata
import platform

import torch

from audit.errors import IreneError

PACKAGES = ("irene-audit", "torch", "scikit-learn", "numpy")


def versions() -> dict[str, str]:
    """Return the versions that the figures depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def choose_device(name: str) -> torch.device:
    """Return the device of that name, CUDA or else the CPU for `auto`; raise an IreneError if it is not here."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise IreneError(f"No CUDA device here, and --device is {name!r}. Leave it out, or give --device cpu.")
    try:
        device = torch.device(name)
        torch.ones(1, device=device).item()  # fails on a device that is not here, and on one without data
    except (RuntimeError, AssertionError):
        raise IreneError(f"No device {name!r} here. Leave --device out, or give cpu, cuda or cuda:0.") from None
    return device


def describe_device(device: torch.device) -> str:
    """Return the device's name for a reader."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"cpu, {threads} thread{'' if threads == 1 else 's'}"
