"""How the JSON of an older audit becomes that of this schema: the same figures in other places, none added.

What is of another type than it should be, or not known, is passed on as it is: the schema refuses it by name.
"""

from collections.abc import Mapping, Sequence

from audit.errors import EvidenceError
from audit.evidence.json_file import Upgrade

JSON = dict[str, object]

_OF_FINDING = ("attribute", "layer", "where", "certificate")
_OF_MEASUREMENT = (
    "width", "projected_from", "missing", "left_out", "entropy", "attackers", "strongest", "ceiling", "null",
    "excess", "resolution",
)  # fmt: skip
_OF_DECISION = ("limit", "verdict", "reason")
_OF_ATTACKER = ("name", "view", "select", "failure")
_CLASSES = ("balanced_accuracy", ("balanced_accuracy", "auroc", "bits"), ("balanced_accuracy", "auroc", "excess"))
_QUANTITY = ("r2", ("r2", "mae"), ("r2", "mae", "excess"))
LISTS = {
    "leakage": ("private", _CLASSES),
    "continuous": ("private", _QUANTITY),
    "kept": ("retained", _CLASSES),
    "kept_continuous": ("retained", _QUANTITY),
}
"""Where findings stood until version 2, with the role and the figures of each list."""

OLDER = (
    "this evidence is older than learning curves and planted leaks, so nothing in it says whether its attackers would "
    "have found a leak: a PASS in it is the old one"
)


def from_1(content: JSON) -> JSON:
    """Version 1 had no draws and no digest; what has them was set back to it."""
    listed = [one for key in LISTS for one in _entries(content, key)]
    newer = [
        key for one in (content, *listed) for key in one if key in {"digest", "findings"} or key.endswith("_draws")
    ]
    _refuse_newer("1", newer)
    return {**content, "schema_version": "2"}


def from_2(content: JSON) -> JSON:
    """Version 2 kept classes and quantities, private and retained ones, in four lists."""
    _refuse_newer("2", [key for key in content if key == "findings"])
    new, findings = {**content, "schema_version": "3"}, []
    for key, (role, kind) in LISTS.items():
        listed = new.pop(key, [])
        if not isinstance(listed, list):
            new[key] = listed
            continue
        findings += [_finding(dict(one), role, *kind) if isinstance(one, dict) else one for one in listed]
    told = new.get("warnings")
    warnings = [*told, OLDER] if isinstance(told, list) else told
    return {**new, "findings": findings} | ({} if warnings is None else {"warnings": warnings})


def _refuse_newer(version: str, newer: Sequence[str]) -> None:
    if newer:
        raise EvidenceError(
            f"it says schema {version} and holds {newer[0]}, which came later. Run the command that wrote it again."
        )


def _entries(content: JSON, key: str) -> list[JSON]:
    listed = content.get(key)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


UPGRADES: Mapping[str, Upgrade] = {"1": from_1, "2": from_2}
"""From each older version to the next."""


def _finding(old: JSON, role: str, metric: str, figures: Sequence[str], drawn: Sequence[str]) -> JSON:
    attackers = old.get("attackers")
    if isinstance(attackers, list):
        old["attackers"] = [_attacker(dict(one), figures) if isinstance(one, dict) else one for one in attackers]
    measurement: JSON = {"metric": metric, **_taken(old, _OF_MEASUREMENT)}
    measurement["figures"] = _taken(old, figures) | {
        key: value for key, value in _taken(old, ("given_task",)).items() if value is not None
    }
    measurement["floor"] = _renamed(old, {"floor": metric, "floor_bits": "bits"})
    if metric == "r2":
        measurement["classes"] = [old.pop("rows")] if "rows" in old else []
        measurement["baseline"] = {"r2": 0.0, **_renamed(old, {"median_mae": "mae"})}
    else:
        measurement |= _taken(old, ("classes",))
        measurement["baseline"] = _renamed(old, {"chance": metric})
    measurement["draws"] = _renamed(old, {f"{name}_draws": name for name in drawn})
    decision = _taken(old, _OF_DECISION)
    return {"role": role, **_taken(old, _OF_FINDING), "measurement": measurement, "decision": decision or None, **old}


def _attacker(old: JSON, figures: Sequence[str]) -> JSON:
    new = _taken(old, _OF_ATTACKER)
    return {**new, "figures": {key: value for key, value in _taken(old, figures).items() if value is not None}, **old}


def _taken(old: JSON, names: Sequence[str]) -> JSON:
    """Take fields out of an entry; what is left in it at the end is not known."""
    return {name: old.pop(name) for name in names if name in old}


def _renamed(old: JSON, names: Mapping[str, str]) -> JSON:
    return {new: old.pop(name) for name, new in names.items() if name in old}
