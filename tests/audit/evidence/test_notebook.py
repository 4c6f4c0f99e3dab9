"""The table that a notebook shows: every verdict beside its baselines, and nothing but text from names."""

from html.parser import HTMLParser

import pytest
from support.findings import audit, certified, continuous, leakage, readable, regression, remeasured, rich, task_less

from audit.evidence.audit_result import AuditResult
from audit.evidence.headline import sentence
from audit.evidence.notebook import card

HOSTILE = "</td><script>alert(1)</script>\"'<b onclick=x> &amp; 🙂"


class Rows(HTMLParser):
    """The text of each cell by row, and every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_a_row_holds_the_verdict_and_every_figure_it_is_read_against() -> None:
    _, row = Rows(card(audit(warnings=[]))).rows
    assert row == [
        "colour", "features.7", "FAILlimit: 5 points", "40.0 % [38.0–42.0]", "12.0 %", "10 %",
        "0.900 [0.880–0.920]", "1.20 of 3.32 (36 %)", "mlp on standardised",
    ]  # fmt: skip


def test_continuous_attributes_stand_in_r_squared_and_kept_ones_without_a_verdict() -> None:
    _, *rows = Rows(card(rich())).rows
    assert [row[0] for row in rows] == ["colour", "age", "smiling", "height"]
    assert [row[2] for row in rows] == ["FAILlimit: 5 points", "FAILlimit: 0.05 of R²", "retained", "retained"]
    assert [row[3][:8] for row in rows] == ["58.0 % [", "R² 0.430", "88.0 % [", "R² 0.610"]


def test_without_a_task_the_card_says_that_the_floor_is_chance() -> None:
    assert "no task was named; the floor is chance" in card(task_less())
    assert "no task was named" not in card(audit())


@pytest.mark.parametrize("ran", [True, False])
def test_warnings_stand_below_and_code_that_ran_is_one(ran: bool) -> None:
    result = audit(checkpoint=audit().checkpoint.model_copy(update={"pickle_ran": ran}))
    below = card(result).partition("</table>")[2]
    assert "One attacker did not run." in below
    assert ("code inside the checkpoint file ran" in below) is ran


def test_the_bound_on_every_attacker_stands_with_what_was_read_on_the_card_and_on_the_command_line() -> None:
    result = audit(certified(leakage(), 0.6101))
    _, row = Rows(card(result)).rows
    assert row[3] == "40.0 % [38.0–42.0]no attacker reads more than 61.1 % (95 %)"
    (line,) = map(sentence, result.findings)
    assert "ceiling 94.0%; no attacker reads more than 61.1% (95%). The whole interval" in line


def test_without_a_certificate_neither_says_anything_of_every_attacker() -> None:
    assert "no attacker" not in card(rich())
    lines = [*map(sentence, rich().findings)]
    assert len(lines) == 4
    assert not any("no attacker" in line for line in lines)


def everywhere(text: str) -> AuditResult:
    found = (certified(leakage()), continuous(), readable(), regression())
    renamed = (remeasured(one, strongest=text).model_copy(update={"attribute": text, "layer": text}) for one in found)
    result = audit(*renamed, warnings=[text])
    return result.model_copy(
        update={
            "checkpoint": result.checkpoint.model_copy(update={"file": text}),
            "task": result.task and result.task.model_copy(update={"name": text}),
        }
    )


def test_a_hostile_name_comes_out_as_text() -> None:
    hostile, plain = Rows(card(everywhere(HOSTILE))), Rows(card(everywhere("plain")))
    assert hostile.tags == plain.tags
    assert [row[0] for row in hostile.rows[1:]] == [HOSTILE] * 4


def test_the_card_has_no_script_style_sheet_or_colour_of_its_own() -> None:
    page = card(rich())
    assert {names for _, names in Rows(page).tags} <= {(), ("style",)}
    assert not {"script", "style", "link", "img"} & {tag for tag, _ in Rows(page).tags}
    assert "#" not in page


def test_a_notebook_finds_the_card_on_the_result() -> None:
    assert audit()._repr_html_() == card(audit())
