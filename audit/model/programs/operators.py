"""The operators that a stranger's program may call, of TorchScript as of torch.export."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

OPERATORS: Mapping[str, frozenset[str]] = {
    namespace: frozenset(names.split())
    for namespace, names in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")).items()
}
"""Their names without overloads, by the namespace that torch knows them under."""
