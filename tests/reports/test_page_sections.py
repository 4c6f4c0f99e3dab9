"""Sections: each is a module and a template of the same name, and a line in the tuple of its page."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
from support.evidences import everything
from support.findings import audit
from support.outline import Outline
from support.sweeps import swept, typical

from reports.audit_page.page import page, sections
from reports.audit_page.sections import words
from reports.inputs.comparison import Comparison, compare
from reports.models_page.page import SECTIONS as OF_MODELS
from reports.render.section import Page, Section, fill_page, filled
from reports.render.table import Body, Row, Table
from reports.sweep_page.page import SECTIONS as OF_SWEEPS
from reports.sweep_page.page import sweep_page

REPORTS = Path(importlib.import_module("reports").__file__ or "").parent
PAGES: dict[str, Sequence[Section]] = {  # type: ignore[type-arg]
    "audit_page": sections(()), "models_page": OF_MODELS, "sweep_page": OF_SWEEPS,
}  # fmt: skip
ELSEWHERE = {
    "compliance": "reports.compliance.provisions_view",
    "densities": "reports.audit_page.densities",
    "epochs": "reports.audit_page.epochs",
    "records": "reports.audit_page.sections.tested",
}
"""Sections whose module stands with what they show, or with what they are the records of."""
SHARED = {"cells"}
"""Modules beside the sections that several of them use."""


@pytest.mark.parametrize("name", PAGES)
def test_every_section_is_a_module_and_a_template_of_its_name_and_neither_stands_alone(name: str) -> None:
    names = [one.name for one in PAGES[name] if not one.template]
    modules = {path.stem for path in (REPORTS / name / "sections").glob("*.py")} - {"__init__"} - SHARED
    modules |= ELSEWHERE.keys() & set(names)
    templates = {path.name.removesuffix(".html.j2") for path in (REPORTS / "templates" / name).iterdir()}
    assert len(names) == len(set(names))
    assert set(names) == modules == templates


@pytest.mark.parametrize("name", PAGES)
def test_every_section_says_what_it_is_about(name: str) -> None:
    for one in PAGES[name]:
        module: ModuleType = importlib.import_module(ELSEWHERE.get(one.name, f"reports.{name}.sections.{one.name}"))
        assert (module.__doc__ or "").strip().endswith(".")
        assert one.title


def test_a_section_without_a_view_is_in_neither_page_nor_contents() -> None:
    kept, without = (sweep_page(one) for one in (typical(), swept()))
    assert "What should stay" in [one.title for one in kept.sections]
    assert "What should stay" not in [one.title for one in without.sections]
    assert "What should stay" not in Outline(fill_page(without, "report.css")).text


def test_a_new_section_is_one_more_entry_with_its_heading_contents_and_rules() -> None:
    table = Table("Of its own", ("Row", "Figure"), kind="own-table", bodies=(Body("", (Row("x", ("1 0–2",)),)),))

    def view(comparison: Comparison) -> object:
        return {"has_bounds": comparison.last is None}, table

    own = Section("words", "Own words", view, heading="Words of its own", anchor="own")
    assert own.view(compare(audit(), None)) is not None
    filled_own = filled("audit_page", (words.SECTION, own), compare(audit(), None))[1]
    made = Page("t", "e", "h", "s", (filled_own,), page(compare(everything(), None)).rules)
    assert (filled_own.anchor, filled_own.title, filled_own.heading) == ("own", "Own words", "Words of its own")
    assert ".own-table td:nth-child(2)::before" in made.style
