"""What people hold is taken, or refused in one line: the quick part of the matrix, and its table in the docs."""

import re
from importlib.util import find_spec

import matrix
import pytest
from matrix_cases import Case

QUICK = [case for case in matrix.cases() if case.quick]
DOCS = matrix.PAGE.read_text(encoding="utf-8").partition(matrix.START)[2].partition(matrix.END)[0]
TABLE = [tuple(cell.strip() for cell in line.split(" | ")) for line in DOCS.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("case", QUICK, ids=lambda case: f"{case.kind}: {case.name}")
@pytest.mark.filterwarnings("ignore")
def test_what_people_hold_is_taken_or_refused_in_one_line(case: Case) -> None:
    if absent := [name for name in case.needs if find_spec(name) is None]:
        pytest.skip(f"no {absent[0]} here")
    outcome = matrix.tried(case)
    assert outcome.found == (matrix.REFUSED if case.refused else matrix.WORKS), outcome.told


def test_the_table_of_the_docs_has_every_case_and_nothing_wrong() -> None:
    named = [(kind.removeprefix("| "), name) for kind, name, *_ in TABLE]
    assert named == [(case.kind, case.name) for case in matrix.cases()]
    assert {found for _, _, found, *_ in TABLE} == {matrix.WORKS, matrix.REFUSED}


def test_sixty_cases_are_tried_and_fifty_work_without_a_line_of_glue() -> None:
    glueless = [row for row in TABLE if row[2] == matrix.WORKS and row[3] == "0"]
    assert len(TABLE) >= 60
    assert len(glueless) >= 50
    told = re.search(r"(\d+) cases: (\d+) work, (\d+) of them without a line of glue; (\d+) are refused", DOCS)
    assert told is not None and int(told[1]) == len(TABLE) and int(told[3]) == len(glueless)
    assert int(told[2]) + int(told[4]) == len(TABLE)
    readme = (matrix.PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"[of {told[1]} cases](docs/matrix.md) {told[2]} work, {told[3]} of them without a line of glue" in readme
