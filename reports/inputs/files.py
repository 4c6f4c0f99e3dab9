"""The files given to a report: audits, or one sweep."""

from collections.abc import Sequence
from pathlib import Path

from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult, read_audit
from audit.evidence.json_file import read_json
from audit.evidence.sweep_result import Sweep, read_sweep
from reports.inputs.integrity import refuse_unfounded, refuse_unfounded_sweep

Given = Sweep | list[tuple[Path, AuditResult]]
"""One sweep, or audits with their files, in the order given."""


def read_given(paths: Sequence[Path], *, allow_unsealed: bool = False) -> Given:
    """Read all files, those without a digest only if that is allowed, and tell audits from a sweep by what is in them.

    Raises:
        EvidenceError: One cannot be read, was changed after it was written, contradicts itself or is of another kind,
            or a sweep stands beside something else.
    """
    sweeps = [path for path in paths if _is_sweep(path)]
    if not sweeps:
        audits = [(path, read_audit(path, allow_unsealed=allow_unsealed)) for path in paths]
        for path, audit in audits:
            refuse_unfounded(str(path), audit)
        return audits
    if len(paths) == 1:
        sweep = read_sweep(paths[0], allow_unsealed=allow_unsealed)
        refuse_unfounded_sweep(sweep)
        return sweep
    raise EvidenceError(
        f"{sweeps[0]} is the evidence of a sweep, which has a page of its own. Give it alone, and audits without it."
    )


def annex_files(report: Path) -> tuple[Path, Path]:
    """Return where the annex of a report stands: `out/report.dpia.md` and `out/report.dpia.html`."""
    return report.with_name(f"{report.stem}.dpia.md"), report.with_name(f"{report.stem}.dpia.html")


def annex_docx(report: Path) -> Path:
    """Return where the annex of a report stands as a Word file: `out/report.dpia.docx`."""
    return report.with_name(f"{report.stem}.dpia.docx")


def refuse_overwriting(outputs: Sequence[Path], paths: Sequence[Path], what: str = "the evidence itself") -> None:
    """Refuse outputs that would take the place of a file that is read.

    Raises:
        EvidenceError: One would; `what` says what would be lost.
    """
    given = {path.resolve() for path in paths}
    for output in outputs:
        if output.resolve() in given:
            raise EvidenceError(f"{output} is {what} and would be lost. Name another file with -o.")


def refuse_twice(paths: Sequence[Path]) -> None:
    """Refuse a file that is given twice.

    Raises:
        EvidenceError: One is.
    """
    for place, path in enumerate(paths):
        if path.resolve() in {other.resolve() for other in paths[:place]}:
            raise EvidenceError(f"{path} is given twice. Give one audit of each model.")


def _is_sweep(path: Path) -> bool:
    content = read_json(path, "an audit's evidence")
    return "setup" in content and "points" in content
