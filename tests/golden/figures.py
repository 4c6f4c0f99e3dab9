"""What a piece of evidence says, however it is laid out, and what two of them say differently."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

Leaf = float | int | str | bool | None
Figures = dict[str, Leaf]

MADE = frozenset(
    {"created", "versions", "device", "digest", "schema_version", "train_seconds", "audit_seconds", "call", "card"}
)
"""What is of one run and not of what it measured, and the words of a method."""
OF_WEIGHTS = ("sha256", "parent_sha256")
EXACT = 1e-9
"""How far two floats on one machine may be apart, as a share of them."""
PLACED = "| densities."
"""In what is told by bins and cells: elsewhere than on that machine a row at an edge lies in the next one."""
LOOSE = 0.03
"""The same for floats on unlike machines: one test row of thirty, for a near tie goes the other way."""
TRAINED = 0.05
"""The same for what was measured of weights that were trained on unlike machines."""


def figures(evidence: Mapping[str, Any]) -> Figures:
    """Return every leaf of an evidence file under a key that no layout decides, `sex @ fc:input | excess.value`.

    There is one branch for each schema version of an audit and of a sweep; all branches give the same keys for the
    same content. Add one with a new version, and leave those of older ones as they are: stored files need them.
    """
    match "sweep" if "points" in evidence else "audit", evidence["schema_version"]:
        case "audit", "3":
            return dict(_audit_3(evidence))
        case "sweep", "1" | "2":  # the second has a digest
            return dict(_sweep_1(evidence))
        case kind, version:
            raise ValueError(f"no branch for schema {version} of {kind}")


def _audit_3(evidence: Mapping[str, Any]) -> Iterator[tuple[str, Leaf]]:
    for one in evidence["findings"]:
        place = f"{one['attribute']} @ {one['layer']} | "
        yield f"{place}role", one["role"]
        yield from _leaves(one["measurement"], place)
        yield from _leaves({key: one.get(key) for key in ("decision", "where", "certificate", "densities")}, place)
    yield from _leaves({key: value for key, value in evidence.items() if key != "findings"}, "")


def _sweep_1(evidence: Mapping[str, Any]) -> Iterator[tuple[str, Leaf]]:
    for point in evidence["points"]:
        place = f"{point['method']} {point['weight']} | "
        found = point["figures"]
        yield from _leaves({key: value for key, value in point.items() if key != "figures"}, place)
        yield from _leaves({key: value for key, value in found.items() if key not in ("read", "kept")}, place)
        for role, name in (("private", "read"), ("kept", "kept")):
            for one in found[name]:
                yield f"{place}{one['attribute']} | role", role
                yield from _leaves(one, f"{place}{one['attribute']} | ")
    yield from _leaves({key: value for key, value in evidence.items() if key not in ("points", "calls")}, "")
    yield from ((f"calls.{number}.command", call["command"]) for number, call in enumerate(evidence["calls"]))


def _leaves(value: object, key: str) -> Iterator[tuple[str, Leaf]]:
    """Walk through JSON; an entry of a list is called by its name or index, where it has one."""
    match value:
        case dict():
            for name, one in value.items():
                if name not in MADE:
                    yield from _leaves(one, f"{key}{name}" if key.endswith("| ") or not key else f"{key}.{name}")
        case list():
            for number, one in enumerate(value):
                yield from _leaves(one, f"{key}.{_called(one, number)}")
        case bool() | int() | float() | str() | None:
            yield key, value
        case _:
            raise TypeError(f"{key} is no JSON")


def _called(one: object, number: int) -> str:
    match one:
        case {"name": name, "view": view} if name != "committee":  # its view tells who is in it
            return f"{name} on {view}"
        case {"name": name}:
            return str(name)
        case {"index": index}:
            return str(index)
    return str(number)


def differences(stored: Figures, fresh: Figures, *, same_machine: bool, trained: bool) -> list[str]:
    """Return what two maps of figures say differently, a line each.

    Counts, verdicts, names and fingerprints are held strictly. Elsewhere than on the machine of the stored set
    floats may be a little apart, and hashes of weights that were trained there are others.
    """
    if not same_machine:
        stored, fresh = ({key: one for key, one in some.items() if PLACED not in key} for some in (stored, fresh))
    near = EXACT if same_machine else TRAINED if trained else LOOSE
    found = [f"{key} is gone, it was {stored[key]!r}" for key in stored if key not in fresh]
    found += [f"{key} is new: {fresh[key]!r}" for key in fresh if key not in stored]
    for key in stored.keys() & fresh.keys():
        old, new = stored[key], fresh[key]
        if not same_machine and _of_this_machine(key, trained=trained):
            continue
        if not _alike(old, new, near, same_machine=same_machine):
            found.append(f"{key} was {old!r} and is {new!r}")
    return sorted(found)


def _of_this_machine(key: str, *, trained: bool) -> bool:
    """Whether a leaf is another on another machine: which of several near equals won, or a hash of what was trained."""
    last = key.rsplit(".", 1)[-1].rsplit("| ", 1)[-1]
    return last in ("strongest", "attacker", "chosen") or (trained and last in OF_WEIGHTS)


def _alike(old: Leaf, new: Leaf, near: float, *, same_machine: bool) -> bool:
    if isinstance(old, str) and isinstance(new, str):
        return words(old, same_machine=same_machine) == words(new, same_machine=same_machine)
    if type(old) is float and type(new) in (float, int):
        assert isinstance(new, float | int)
        return math.isclose(old, new, rel_tol=near, abs_tol=near if near > EXACT else 1e-12)
    return type(old) is type(new) and old == new


def words(text: str, *, same_machine: bool) -> str:
    """Return a text as it is compared: without digits and hashes where another machine may round otherwise."""
    if same_machine or ("\n" not in text and " " not in text):  # a name or a hash
        return text
    return re.sub(r"\b[0-9a-f]{12,}|\d+", "", text)
