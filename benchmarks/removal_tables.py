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


def told(found: list[dict[str, Any]], name: str) -> str:
    """Return what the rich release comes to beside plain fine-tuning and the untouched model, as a sentence."""
    own = [one for one in found if one["set"] == name]
    rich, plain, untouched = (
        [one for one in own if one["arm"] == arm]
        for arm in ("rich (ours, with --keep)", "plain fine-tuning", "untouched")
    )
    if not (rich and plain and untouched and name.startswith("CelebA")):
        return ""
    above, beside = ([one["strongest"] - one["floor"] for one in rows] for rows in (rich, plain))
    lost = mean(one["task"] for one in plain) - mean(one["task"] for one in rich)
    kept, readable = (mean(one["kept"] for one in rows) - 0.5 for rows in (rich, untouched))
    return (
        f"rich: {percent(above)} above the floor (plain fine-tuning {percent(beside)}), "
        f"task {100 * lost:.1f} below it, kept AUROC {100 * kept / readable:.0f} % as far from one half as untouched\n"
    )


def percent(values: list[float | None]) -> str:
    """Return a mean in percent with its deviation over seeds."""
    known = [100 * value for value in values if value is not None]
    if not known:
        return "–"
    return f"{mean(known):.1f}" + (f" ± {stdev(known):.1f}" if len(known) > 1 else "")
