"""The pictures of README and docs/filed.md: the top of two reports, to the first drawing of what attackers read.

    irene demo
    python benchmarks/pictures.py --demo out/demo/report.html --celeba out/celeba/report.html

The second report is of the smile net on CelebA, made by the lines of docs/model.md: `benchmarks/train.py`,
`irene audit`, `irene sanitize`, `irene audit` and `irene report`. Each report gives a light and a dark picture, in
`docs/pictures`. Pages are shown by Debian's Chromium, offline (`pip install '.[test]'`, `apt install chromium`). No
face is on a picture: a page that holds an image is refused, and the maps of where attackers read are left out.
"""

import io
from pathlib import Path
from typing import Literal

import click
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from audit.atomic_write import write_whole
from audit.errors import IreneError

CHROMIUM = Path("/usr/bin/chromium")
WIDTH, SCALE = 1000, 2
"""CSS pixels, and how many of the picture's each one is."""
ROOM = 32
"""CSS pixels below the drawing."""
COLOURS = 64
"""Of the picture's palette: a page is of a few inks, and the steps between them at the edges of letters."""
MOST_BYTES = 300_000
ONLY_THE_TOP = """
nav, #leakage .spot ~ .spot, #leakage figure ~ * { display: none !important }
main section:not(#verdict, #leakage) { height: 0; margin: 0; padding: 0; border: 0; overflow: hidden }
body { padding-top: 2.5rem !important }
"""
"""Leaves every verdict and the first drawing; sections between them keep their numbers."""
Scheme = Literal["light", "dark"]
SUFFIXES: dict[Scheme, str] = {"light": "", "dark": "-dark"}


def picture(browser: Browser, report: Path, scheme: Scheme) -> bytes:
    """Return a PNG of the top of a report.

    Raises:
        IreneError: The file is no report, or holds an image.
    """
    context = browser.new_context(
        viewport={"width": WIDTH, "height": 800},
        device_scale_factor=SCALE,
        color_scheme=scheme,
        java_script_enabled=False,
        offline=True,
    )
    try:
        page = context.new_page()
        page.goto(report.resolve().as_uri())
        drawing = page.locator("#leakage figure").first
        if not page.locator("#verdict").count() or not drawing.count():
            raise IreneError(f"{report} is no report of one or two audits. Make one with irene report.")
        if page.locator("img, image, canvas, video").count():
            raise IreneError(f"{report} holds an image, which may show a person. Make it again with irene report.")
        page.evaluate("css => { document.head.append(document.createElement('style')); "
                      "document.head.lastChild.textContent = css }", ONLY_THE_TOP)  # fmt: skip
        box = drawing.bounding_box()
        if box is None:
            raise IreneError(f"{report} shows no drawing of what attackers read. Make it again with irene report.")
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": box["y"] + box["height"] + ROOM}
        return _small(page.screenshot(full_page=True, clip=clip, animations="disabled"))  # type: ignore[arg-type]
    finally:
        context.close()


def _small(png: bytes) -> bytes:
    """Return the same picture in a palette."""
    with Image.open(io.BytesIO(png)) as full:
        few = full.convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    target = io.BytesIO()
    few.save(target, "png", optimize=True)
    return target.getvalue()


@click.command()
@click.option("--demo", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The demo's report.")
@click.option("--celeba", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The report on CelebA.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("docs/pictures"), show_default=True)
def main(demo: Path | None, celeba: Path | None, folder: Path) -> None:
    """Write the pictures of the reports that are named."""
    if demo is None and celeba is None:
        raise click.UsageError("No report is named. Name one with --demo or --celeba.")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for name, report in (("demo", demo), ("celeba", celeba)):
            for scheme, suffix in SUFFIXES.items():
                if report is None:
                    continue
                content = picture(browser, report, scheme)
                path = folder / f"{name}-report{suffix}.png"
                if len(content) > MOST_BYTES:
                    raise IreneError(f"{path} would be of {len(content):,} bytes, more than {MOST_BYTES:,}.")
                write_whole(path, content)
                print(f"Wrote {path}: {len(content):,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
