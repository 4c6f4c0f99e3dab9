"""Who is exposed: by class, at few false alarms, and with several rows of one person."""

import numpy as np
import pytest
from support.planted import FEW, classes, labels, measured, noise

from audit.evidence.findings import Exposure, Measurement


def exposure(found: Measurement) -> Exposure:
    assert found.exposure is not None
    return found.exposure


def rate(found: Measurement, wanted: str, false_positives: float) -> float | None:
    (one,) = [
        one for one in exposure(found).found if one.wanted == wanted and one.false_positive_rate == false_positives
    ]
    return None if one.rate is None else one.rate.value


def test_a_few_people_who_are_read_with_certainty_show_though_the_mean_is_near_the_floor() -> None:
    v = labels(8000)
    z = noise(8000)
    certain = (v == 1) & (np.random.default_rng(3).random(8000) < 0.08)
    z[certain, 0] = 9.0
    found = measured(z, classes(v)).measurement
    assert found.score.value < 0.56
    told = rate(found, "class 1", 0.01)
    assert told is not None
    assert told > 0.06, "six times as many as a guess finds"
    other = rate(found, "class 0", 0.01)
    assert other is not None
    assert other < 0.03


def test_rates_that_too_few_rows_could_tell_are_not_told() -> None:
    found = measured(noise(1500), classes(labels(1500))).measurement
    assert rate(found, "class 1", 0.1) == pytest.approx(0.1, abs=0.06)
    assert rate(found, "class 1", 0.01) is None
    assert rate(found, "class 1", 0.001) is None


@pytest.mark.parametrize(("every", "told"), [(36, False), (20, True)])
def test_the_recall_of_every_class_is_told_and_that_of_a_small_group_is_withheld(every: int, told: bool) -> None:
    v = (np.arange(2000) % every == 0).astype(np.int64)
    z = noise(2000)
    z[:, 0] += 6 * v
    recall = {one.name: one.recall for one in exposure(measured(z, classes(v)).measurement).recalls}
    assert (recall["class 1"] is not None) == told
    common = recall["class 0"]
    assert common is not None
    assert common.value > 0.95


def test_rows_of_one_person_add_up() -> None:
    people = np.repeat(np.arange(240), 20)
    v = labels(240, seed=4)[people]
    z = noise(4800)
    z[:, 0] += 0.5 * v  # one row: at best 59.9 %
    shots = {one.rows: one for one in measured(z, classes(v), groups=people).measurement.shots}
    assert sorted(shots) == [1, 5, 20]
    assert shots[1].figure.value == pytest.approx(0.60, abs=0.12)
    assert shots[20].figure.value > shots[1].figure.value + 0.1
    assert shots[20].figure.value > 0.75
    assert shots[20].people == pytest.approx(72, abs=3)


def test_rows_that_stand_alone_have_no_shots() -> None:
    assert measured(noise(1000), classes(labels(1000))).measurement.shots == []


@pytest.mark.parametrize("people", [60, 200, 1000])
def test_the_intervals_of_the_share_and_of_the_excess_agree_however_few_groups_there_are(people: int) -> None:
    person = np.arange(2000) % people
    v = labels(people, seed=4)[person]
    z = noise(2000)
    z[:, 0] += 2.0 * v
    found = measured(z, classes(v), groups=person, settings=FEW).measurement
    assert found.excess.low == pytest.approx(found.score.low - 0.5, abs=0.01)
    assert found.excess.high == pytest.approx(found.score.high - 0.5, abs=0.01)
