"""Whoever has the evidence cannot solve for the labels of its rows; whoever has the rows could, and has them anyway."""

from statistics import mean, stdev

import pytest
from labels import attacks, audited, people


@pytest.mark.slow
@pytest.mark.parametrize(("size", "bootstrap", "least"), [(1, 1000, 0.9), (4, 1000, 0.7), (1, 200, 0.7)])
def test_labels_solved_for_from_the_evidence_are_no_better_than_guesses(
    size: int, bootstrap: int, least: float
) -> None:
    """Without groups and with them; with fewer test rows than resamples, 240, and with more."""
    found = [dict(attacks(seed, size, bootstrap)) for seed in range(6)]
    theirs = [one[who] for one in found for who in ("seed", "fingerprint")]
    spread = stdev(theirs) / len(theirs) ** 0.5
    assert abs(mean(theirs) - 0.5) < max(0.01, 3 * spread), f"{mean(theirs):.3f}"
    holder = mean(one["key"] for one in found)
    assert holder > least, f"the attack itself does not work: {holder:.3f}"


def test_the_key_of_the_resamples_is_that_of_the_rows_and_is_not_written() -> None:
    found, data = audited(0, 1, 200)
    key = data.resampling_key(["v"])
    assert key == people(0, 1)[1].resampling_key(["v"]), "two audits of the same rows are paired"
    assert key != people(1, 1)[1].resampling_key(["v"])
    text = found.model_dump_json()
    assert key.hex() not in text and found.data.fingerprint in text
