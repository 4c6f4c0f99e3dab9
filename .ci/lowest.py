"""Print constraints for pip: of all that irene needs, the lowest series of versions that pyproject.toml declares.

    python .ci/lowest.py > constraints.txt

`numpy>=2.0` becomes `numpy==2.0.*`: the last correction of the lowest series, since first ones are at times withdrawn.
"""

import re
import tomllib
from pathlib import Path


def lowest(requirement: str) -> str:
    """Return the constraint for a requirement of the form `name>=version`.

    Raises:
        ValueError: It has another form.
    """
    if not (found := re.fullmatch(r"([\w.-]+)>=([\d.]+)", requirement)):
        raise ValueError(f"{requirement} does not say from which version on. Write name>=version.")
    return f"{found[1]}=={found[2]}.*"


if __name__ == "__main__":
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    print("\n".join(map(lowest, project["dependencies"])))  # noqa: T201
