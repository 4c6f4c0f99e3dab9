"""What the paper says of its figures, beside what the same runs come to under fresh attackers, claim by claim.

A task is as well answered within NEAR points, an attribute is removed where an audit's own limit is held, and a head or
another method is close within FAR.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import mean

from paper_tables import PUBLISHED, Runs, of, spread

NEAR, LIMIT, FAR = 3.0, 5.0, 10.0
"""Points of percent."""
GUESS = 10.0
"""Of ten colours, in percent."""
DEBIASING = ("RUBi", "ReBias", "LearnedMixin")
GAMMAS = ("0.1", "0.5", "1")


@dataclass(frozen=True)
class Found:
    """What was measured of a claim in one place."""

    place: str
    told: str
    agrees: bool


Measured = Callable[[Runs], Iterator[Found]]


def claims(runs: Runs) -> str:
    """Return a table of the paper's claims, in Markdown; those that no run tells of are left out."""
    lines = ["| the paper says | measured | |", "|---|---|---|"]
    figure, faces = ([one for one in runs if one["part"] == part] for part in ("figure4", "table1"))
    asked = [(figure, *claim) for claim in FIGURE_4] + [(faces, *claim) for claim in TABLE_1]
    for own, said, measured in asked:
        if found := list(measured(own)):
            lines.append(f"| {said} | {'; '.join(f'{one.place}: {one.told}' for one in found)} | {verdict(found)} |")
    return "\n".join(lines)


def verdict(found: list[Found]) -> str:
    """Return whether it agrees, and if not everywhere, where not."""
    other = [one.place for one in found if not one.agrees]
    if not other:
        return "**agrees**"
    return "**differs**" if len(other) == len(found) else f"agrees, **except** {', '.join(other)}"


def percent(runs: Runs, key: str) -> float:
    """Return the mean of a share over seeds, in percent."""
    return 100 * float(mean(one[key] for one in runs))


def beside(runs: Runs, arm: str) -> Iterator[tuple[str, Runs, float]]:
    """Yield each rho or target, the runs of an arm, and its task beside the model without removal, in points."""
    for case in sorted({one["case"] for one in runs}):
        own, vanilla = of(runs, case, arm), of(runs, case, "vanilla")
        if own and vanilla:
            place = case if isinstance(case, str) else f"{case:g}"
            yield place, own, percent(own, "task") - percent(vanilla, "task")


def vanilla_falls(runs: Runs) -> Iterator[Found]:
    """Digits right without removal, at the least and the largest rho."""
    told = [(rho, percent(own, "task")) for rho, own, _ in beside(runs, "vanilla")]
    if len(told) > 1:
        (low, first), (high, last) = told[0], told[-1]
        yield Found(f"rho {low} to {high}", f"{first:.1f} to {last:.1f} %", last < first - NEAR)


def vanilla_leaks(runs: Runs) -> Iterator[Found]:
    """What the head reads without removal where colour and digit are independent."""
    for rho, own, _ in beside(runs, "vanilla"):
        if rho == "0.1":
            yield Found(f"rho {rho}", f"head {percent(own, 'head'):.1f} %", percent(own, "head") > GUESS + NEAR)


def digits_stay(runs: Runs) -> Iterator[Found]:
    """Digits right by IRENE."""
    for rho, _, points in beside(runs, "IRENE"):
        yield Found(rho, f"{points:+.1f}", points > -NEAR)


def head_is_low(runs: Runs) -> Iterator[Found]:
    """What IRENE's head reads."""
    for rho, own, _ in beside(runs, "IRENE"):
        yield Found(rho, f"{percent(own, 'head'):.1f}", percent(own, "head") < GUESS + FAR)


def colour_is_removed(runs: Runs) -> Iterator[Found]:
    """What is read of IRENE's bottleneck; nothing could be removed where the digit tells the colour."""
    for rho, own, _ in beside(runs, "IRENE"):
        read, floor = percent(own, "strongest"), percent(own, "floor")
        if floor < 100 - FAR:
            yield Found(rho, f"{read:.1f} (floor {floor:.1f})", read < floor + LIMIT)


def debiasing_answers(runs: Runs) -> Iterator[Found]:
    """Digits right by each method that debiases: at which rho least, and at which most."""
    for arm in DEBIASING:
        told = sorted((points, rho) for rho, _, points in beside(runs, arm))
        if told:
            (low, at_low), (high, at_high) = told[0], told[-1]
            range_ = f"{low:+.1f} at rho {at_low}" + (f" to {high:+.1f} at {at_high}" if len(told) > 1 else "")
            yield Found(arm, range_, low > -FAR and high < FAR)


def debiasing_leaks(runs: Runs) -> Iterator[Found]:
    """What is read of each method that debiases, above the floor, where the digit does not tell the colour."""
    for arm in DEBIASING:
        pairs = [(percent(own, "strongest"), percent(own, "floor")) for _, own, _ in beside(runs, arm)]
        if above := [read - floor for read, floor in pairs if floor < 100 - FAR]:
            yield Found(arm, f"{min(above):.1f} points above the floor, or more", min(above) > LIMIT)


def target_costs(runs: Runs) -> Iterator[Found]:
    """What the largest gamma costs of each target, and cost the paper."""
    for target, _, points in beside(runs, most := f"IRENE, gamma {GAMMAS[-1]}"):
        after, before = (float(PUBLISHED[target, arm][0].split()[0]) for arm in (most, "vanilla"))
        yield Found(target, f"{points:+.1f}, published {after - before:+.1f}", abs(points - after + before) < NEAR)


def gender_is_removed(gamma: str) -> Measured:
    """What the head and a fresh attacker read of faces."""

    def found(runs: Runs) -> Iterator[Found]:
        for target, own, _ in beside(runs, arm := f"IRENE, gamma {gamma}"):
            head, read, floor = (spread([one[key] for one in own]) for key in ("head_right", "strongest", "floor"))
            told = f"head right {head}, published {PUBLISHED[target, arm][1]}; fresh attacker {read}, floor {floor}"
            yield Found(target, told, percent(own, "strongest") < percent(own, "floor") + LIMIT)

    return found


FIGURE_4: tuple[tuple[str, Measured], ...] = (
    ("Without removal, fewer digits are right as rho rises", vanilla_falls),
    ("Without removal, the colour is read above a guess even at rho .1", vanilla_leaks),
    ("IRENE names the digits as well, at every rho (points beside no removal)", digits_stay),
    ("Its head stays close to a guess, 10 %, at every rho (% of colours)", head_is_low),
    ("So the colour is removed (% that a fresh attacker reads)", colour_is_removed),
    ("Debiasing names the digits about as well (points beside no removal)", debiasing_answers),
    ("Debiasing lets the colour through (a fresh attacker)", debiasing_leaks),
)
TABLE_1: tuple[tuple[str, Measured], ...] = (
    ("Gamma 1 costs little of blond hair and eyeglasses, and some of heavy makeup (points)", target_costs),
    *((f"IRENE removes the gender, gamma {gamma} (% read)", gender_is_removed(gamma)) for gamma in GAMMAS),
)
