"""Turn the evidence of a sweep into one offline HTML file."""

from pathlib import Path

from audit.evidence.sweep_result import Sweep
from reports.render.section import fill_page
from reports.render.template import write_page
from reports.sweep_page.page import sweep_page


def render_sweep(sweep: Sweep) -> str:
    """Return the page of a sweep; the same evidence gives the same page, byte for byte.

    Raises:
        EvidenceError: The sweep has no untouched checkpoint, or says what its figures deny.
    """
    return fill_page(sweep_page(sweep), "report.css", "sweep.css")


def write_sweep(path: Path, sweep: Sweep) -> None:
    """Write the page of a sweep, whole or not at all.

    Raises:
        EvidenceError: The sweep has no untouched checkpoint, or says what its figures deny.
        IreneError: The file cannot be written.
    """
    write_page(path, render_sweep(sweep))
