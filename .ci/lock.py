"""Print constraints for pip: of all that irene and its extras need, the versions that are the newest today.

    python .ci/lock.py > constraints/cpu.txt

What a CUDA build of PyTorch brings with it is left out, so that the same file holds for CPU wheels.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
OF_CUDA = ("nvidia-", "cuda-", "triton")


def resolved(extras: list[str]) -> dict[str, str]:
    """Return the version of each package that pip would install."""
    asked = ["--dry-run", "--ignore-installed", "--quiet", "--disable-pip-version-check", "--report", "-"]
    called = [sys.executable, "-m", "pip", "install", *asked, f"{ROOT}[{','.join(extras)}]"]
    report = json.loads(subprocess.run(called, capture_output=True, text=True, check=True).stdout)
    found = (one["metadata"] for one in report["install"])
    return {one["name"].lower(): one["version"].partition("+")[0] for one in found}


if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = resolved([name for name in project["optional-dependencies"] if name != "test"])
    own = [name for name in versions if name == project["name"] or name.startswith(OF_CUDA)]
    print("# By python .ci/lock.py: pip install --constraint constraints/cpu.txt .")  # noqa: T201
    print("\n".join(f"{name}=={versions[name]}" for name in sorted(versions.keys() - own)))  # noqa: T201
