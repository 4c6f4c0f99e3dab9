"""What removal.py prints of its runs: a table for each set, and what the rich release comes to."""

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any


def table(found: list[dict[str, Any]], name: str, arms: Sequence[str]) -> str:
    """Return the mean over seeds of every arm, with the deviation where there is one, as Markdown."""
    own = [one for one in found if one["set"] == name]
    lines = [
        "| arm | seeds | task | strongest fresh attacker | floor | above the floor | certified | excess bits | kept "
        "AUROC | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for arm in arms:
        rows = [one for one in own if one["arm"] == arm]
        if not rows:
            continue
        above = [one["strongest"] - one["floor"] for one in rows]
        cells = [arm, str(len(rows))]
        cells += [percent([one[key] for one in rows]) for key in ("task", "strongest", "floor")]
        cells += [percent(above), percent([one["certified"] for one in rows])]
        cells += [f"{max(0.0, mean(one['excess_bits'] for one in rows)):.2f}"]
        cells += [percent([one["kept"] for one in rows]), f"{mean(one['seconds'] for one in rows):.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    counts = " training and ".join(f"{n:,}" for n in own[0]["n"]) + " audited rows"
    return f"**{name}** ({counts})\n\n" + "\n".join(lines) if len(lines) > 2 else ""


def when(found: list[dict[str, Any]]) -> str:
    """Return when the runs were made, and with what."""
    dates = sorted({one["date"] for one in found})
    made = {", ".join(f"{package} {version}" for package, version in one["versions"].items()) for one in found}
    return "; ".join([" to ".join(dict.fromkeys([*dates[:1], *dates[-1:]])), *sorted(made)])


def rich(found: list[dict[str, Any]], names: Sequence[str]) -> str:
    """Return what the rich release comes to beside plain fine-tuning and the untouched model, as Markdown."""
    lines = ["| task | above the floor | plain fine-tuning | task below plain | kept |", "|---|---|---|---|---|"]
    for name in names:
        own = [one for one in found if one["set"] == name]
        released, plain, untouched = (
            [one for one in own if one["arm"] == arm]
            for arm in ("rich (ours, with --keep)", "plain fine-tuning", "untouched")
        )
        if not (released and plain and untouched and name.startswith("CelebA")):
            continue
        above, beside = ([one["strongest"] - one["floor"] for one in rows] for rows in (released, plain))
        lost = mean(one["task"] for one in plain) - mean(one["task"] for one in released)
        kept, readable = (mean(one["kept"] for one in rows) - 0.5 for rows in (released, untouched))
        cells = [name.removeprefix("CelebA, "), percent(above), percent(beside), f"{100 * lost:.1f}"]
        lines.append(f"| {' | '.join([*cells, f'{100 * kept / readable:.0f} %'])} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def percent(values: list[float | None]) -> str:
    """Return a mean in percent with its deviation over seeds."""
    known = [100 * value for value in values if value is not None]
    if not known:
        return "–"
    return f"{mean(known):.1f}" + (f" ± {stdev(known):.1f}" if len(known) > 1 else "")
