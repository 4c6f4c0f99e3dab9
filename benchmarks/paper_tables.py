"""The tables of paper.py: Figure 4 as four tables over rho, Table 1 beside the published one, and the related work."""

import re
from collections.abc import Sequence
from itertools import product
from statistics import mean, stdev
from typing import Any

Runs = list[dict[str, Any]]

PUBLISHED: dict[tuple[str, str], tuple[str, str]] = {
    ("Blond_Hair", "vanilla"): ("95.34 ± 0.07", "84.32 ± 2.76"),
    ("Blond_Hair", "IRENE, gamma 0.1"): ("95.37 ± 0.10", "55.47 ± 8.18"),
    ("Blond_Hair", "IRENE, gamma 0.5"): ("95.28 ± 0.09", "53.64 ± 10.69"),
    ("Blond_Hair", "IRENE, gamma 1"): ("95.24 ± 0.29", "53.68 ± 10.71"),
    ("Heavy_Makeup", "vanilla"): ("90.58 ± 0.14", "92.89 ± 0.36"),
    ("Heavy_Makeup", "IRENE, gamma 0.1"): ("90.32 ± 0.97", "65.13 ± 11.08"),
    ("Heavy_Makeup", "IRENE, gamma 0.5"): ("85.66 ± 2.80", "56.45 ± 9.46"),
    ("Heavy_Makeup", "IRENE, gamma 1"): ("83.31 ± 3.41", "51.98 ± 9.56"),
    ("Eyeglasses", "vanilla"): ("99.67 ± 0.02", "69.51 ± 4.33"),
    ("Eyeglasses", "IRENE, gamma 0.1"): ("99.68 ± 0.01", "64.08 ± 1.08"),
    ("Eyeglasses", "IRENE, gamma 0.5"): ("99.69 ± 0.02", "61.57 ± 6.95"),
    ("Eyeglasses", "IRENE, gamma 1"): ("99.68 ± 0.01", "54.66 ± 12.58"),
}
"""Table 1 of the paper: how often the task's answer and the head's are right, percent, mean ± deviation of 10 seeds."""
PUBLISHED_ARMS = ("vanilla", "IRENE", "RUBi", "ReBias", "LearnedMixin")
"""The paper's own, which stand before ours."""
OF_FIGURE = {
    "task": "digits right, on test rows whose colours go with no digit",
    "head": "colour read by the head in the loop, as the paper plots it",
    "strongest": "colour read by the strongest fresh attacker",
    "floor": "floor: what the predicted digit alone tells of the colour",
    "bound": "bound on any attacker, at 95 % confidence",
}


def tables(runs: Runs) -> str:
    """Return all tables of all scales, as Markdown."""
    made = []
    for scale in dict.fromkeys(one["scale"] for one in runs):
        own = [one for one in runs if one["scale"] == scale]
        for part, draw in (("figure4", figure4), ("table1", table1), ("others", others)):
            rows = [one for one in own if one["part"] == part]
            if rows:
                made.append(f"{about(rows)}\n\n{draw(rows)}")
    return "\n\n".join([*made, *scales([one for one in runs if one["part"] == "figure4"])])


def about(runs: Runs) -> str:
    """Return the scale, the rows, the seeds, the machine, the date and the versions of some runs, in a line."""

    def every(key: str) -> str:
        return " or ".join(dict.fromkeys(str(one[key]) for one in runs))

    train, audited = runs[0]["n"]
    dates = sorted({one["date"] for one in runs})
    seeds = len({one["seed"] for one in runs})
    packages = dict.fromkeys(", ".join(f"{name} {what}" for name, what in one["versions"].items()) for one in runs)
    return (
        f"*{runs[0]['part']}, scale `{runs[0]['scale']}`*: {train:,} training and {audited:,} audited rows, "
        f"{every('epochs')} epochs, {'one seed' if seeds == 1 else f'up to {seeds} seeds'}; {every('machine')}; "
        f"{' to '.join(dict.fromkeys([dates[0], dates[-1]]))}; {'; '.join(packages)}."
    )


def figure4(runs: Runs) -> str:
    """Return one table for each quantity, arms by rho."""
    rhos = sorted({one["case"] for one in runs})
    arms = dict.fromkeys([arm for arm in PUBLISHED_ARMS if of_arm(runs, arm)] + [one["arm"] for one in runs])
    made = []
    for key, words in OF_FIGURE.items():
        head = f"| {words} | {' | '.join(f'rho {rho:g}' for rho in rhos)} |"
        lines = [head, "|---" * (len(rhos) + 1) + "|"]
        for arm in arms:
            cells = [spread([one.get(key) for one in of(runs, rho, arm)]) for rho in rhos]
            if any(cell != "–" for cell in cells):
                lines.append(f"| {arm} | {' | '.join(cells)} |")
        if len(lines) > 2:
            made.append("\n".join(lines))
    return "\n\n".join(made)


def scales(runs: Runs) -> list[str]:
    """Return a table for each rho that was run at several scales: each arm at one above the other."""
    made = []
    for rho in sorted({one["case"] for one in runs}):
        own = [one for one in runs if one["case"] == rho]
        names = [*dict.fromkeys(one["scale"] for one in own)]
        arms = [arm for arm in dict.fromkeys(one["arm"] for one in own)
                if {one["scale"] for one in of_arm(own, arm)} == {*names}]  # fmt: skip
        if len(names) < 2 or not arms:
            continue
        titles = [re.split("[:,]", words)[0] for words in OF_FIGURE.values()]
        lines = [f"| rho {rho:g} | scale | seeds | {' | '.join(titles)} |", "|---" * (len(titles) + 3) + "|"]
        for arm, name in product(arms, names):
            some = [one for one in of_arm(own, arm) if one["scale"] == name]
            cells = [arm, f"`{name}`", str(len(some)), *(spread([one.get(key) for one in some]) for key in OF_FIGURE)]
            lines.append(f"| {' | '.join(cells)} |")
        made.append("\n".join(lines))
    return made


def table1(runs: Runs) -> str:
    """Return the targets and arms, published beside measured."""
    titles = "target | arm | seeds | task, published | task | head, published | head | fresh attacker | floor | bound"
    lines = [f"| {titles} | verdicts |", "|---" * 11 + "|"]
    for target in dict.fromkeys(one["case"] for one in runs):
        for arm in dict.fromkeys(one["arm"] for one in runs if one["case"] == target):
            own = of(runs, target, arm)
            task, head = PUBLISHED.get((target, arm), ("–", "–"))
            measured = [
                spread([one.get(key) for one in own]) for key in ("task", "head", "strongest", "floor", "bound")
            ]
            cells = [target, arm, str(len(own)), task, measured[0], head, *measured[1:], verdicts(own)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def others(runs: Runs) -> str:
    """Return the systems that are no removal."""
    lines = [
        "| system | seeds | digits right | strongest fresh attacker | floor | what it is |",
        "|---" * 6 + "|",
    ]
    for arm in dict.fromkeys(one["arm"] for one in runs):
        own = of_arm(runs, arm)
        cells = [spread([one[key] for one in own]) for key in ("task", "strongest", "floor")]
        lines.append(f"| {arm} | {len(own)} | {' | '.join(cells)} | {own[0]['told']} |")
    return "\n".join(lines)


def of(runs: Runs, case: Any, arm: str) -> Runs:
    """Return the runs of one case and arm."""
    return [one for one in of_arm(runs, arm) if one["case"] == case]


def of_arm(runs: Runs, arm: str) -> Runs:
    """Return the runs of one arm."""
    return [one for one in runs if one["arm"] == arm]


def verdicts(runs: Runs) -> str:
    """Return the verdicts that occur."""
    return ", ".join(sorted({one["verdict"] for one in runs}))


def spread(values: Sequence[float | None]) -> str:
    """Return a mean in percent, with the deviation over seeds where there are several."""
    known = [100 * value for value in values if value is not None]
    if not known:
        return "–"
    return f"{mean(known):.1f}" + (f" ± {stdev(known):.1f}" if len(known) > 1 else "")
