"""A page as PDF, printed by a browser that is installed, or by WeasyPrint."""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from audit.errors import IreneError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
SECONDS = 120


class PdfError(IreneError):
    """No PDF can be made here."""


def as_pdf(page: str) -> bytes:
    """Return an HTML page as PDF, as it prints.

    Raises:
        PdfError: Neither a browser nor WeasyPrint is installed, or it failed.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is not None:
        return _by_browser(browser, page)
    try:
        from weasyprint import HTML  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - where it is
    except (ImportError, OSError):  # it needs libraries of the system, too
        raise PdfError(
            f"A PDF is printed by a browser ({', '.join(BROWSERS[:3])}) or by WeasyPrint, and neither is installed. "
            "Install one, or print the page yourself."
        ) from None
    return bytes(HTML(string=page).write_pdf())


def _by_browser(browser: str, page: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="irene-") as folder:
        source, target = Path(folder) / "page.html", Path(folder) / "page.pdf"
        source.write_text(page, encoding="utf-8")
        asked = [browser, "--headless", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={folder}/profile"]
        asked += ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # root has no sandbox
        called = [*asked, f"--print-to-pdf={target}", source.as_uri()]
        with suppress(OSError, subprocess.TimeoutExpired):  # told below: there is no file
            subprocess.run(called, check=False, capture_output=True, timeout=SECONDS)
        if not target.is_file():
            raise PdfError(f"{browser} printed no PDF. Print the page yourself, or install WeasyPrint.")
        return target.read_bytes()
