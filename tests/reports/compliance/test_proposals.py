"""What the annex proposes and never decides: special categories by name, and a likelihood from the evidence."""

import pytest
from support.evidences import everything, pair
from support.findings import audit, leakage

from reports.compliance.assessment import assessment
from reports.compliance.dpia import render_markdown
from reports.compliance.likelihood import PROPOSED, likelihood_table
from reports.compliance.special import UNTOLD, looks_like, proposal
from reports.inputs.comparison import compare


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("race", "racial or ethnic origin"),
        ("EthnicGroup", "racial or ethnic origin"),
        ("voted_2024", "political opinions"),
        ("is-muslim", "religious or philosophical beliefs"),
        ("union_member", "trade union membership"),
        ("BRCA", "genetic data"),
        ("fingerprint", "biometric data, where they identify a person"),
        ("has_diabetes", "data concerning health"),
        ("sexual orientation", "sex life or sexual orientation"),
    ],
)
def test_a_name_proposes_its_category_with_the_article_and_asks_for_confirmation(name: str, category: str) -> None:
    assert looks_like(name) == (category,)
    assert proposal(name) == f"looks like {category}, Art. 9(1) GDPR; confirm"


@pytest.mark.parametrize("name", ["trace", "general", "sex", "gender", "age", "communion", "grace", "colour", "", "x7"])
def test_a_part_of_a_word_proposes_nothing_and_says_that_the_name_does_not_tell(name: str) -> None:
    assert looks_like(name) == ()
    assert proposal(name) == UNTOLD


def test_an_intersection_is_told_of_its_parts() -> None:
    assert looks_like("race+religion") == ("racial or ethnic origin", "religious or philosophical beliefs")


def test_the_annex_proposes_categories_and_leaves_a_line_to_confirm_each() -> None:
    part = assessment(compare(audit(leakage("race"), leakage("sex")), None)).sections["processing"]
    proposed = part.tables[-1]
    assert [row[0].text for row in proposed.rows] == ["race", "sex"]
    assert [row[1].text for row in proposed.rows] == [proposal("race"), UNTOLD]
    (form,) = part.forms
    assert form.names == ("race", "sex")
    assert {cell for cells in form.filled for cell in cells} == {""}


def test_the_likelihood_is_proposed_by_the_verdict_and_set_by_nobody() -> None:
    table = likelihood_table(compare(*pair()))
    assert [row[1].text for row in table.rows] == [PROPOSED["FAIL"], PROPOSED["INCONCLUSIVE"], PROPOSED["FAIL"]]
    assert [row[2].notes[-1] for row in table.rows] == ["FAIL", "INCONCLUSIVE", "FAIL"]
    part = assessment(compare(*pair())).sections["risks"]
    assert {cell for form in part.forms for cells in form.filled for cell in cells} == {""}


def test_the_result_stands_first_with_the_layer_that_decides() -> None:
    text = render_markdown(everything(after=True))
    head, *_ = text.split("## Systematic description")
    assert "## Result" in head
    assert "FAIL: colour at features.7" in head and "features.9" not in head
    assert "no decision" in head


def test_each_part_names_where_it_is_filed_and_none_says_more_of_the_standard_than_its_contents() -> None:
    sections = assessment(compare(audit(), None)).sections
    follows = [one.follows for one in sections.values() if one.follows]
    assert len(follows) == 7
    assert sum("WP 248 rev.01, annex 2" in one for one in follows) == 5
