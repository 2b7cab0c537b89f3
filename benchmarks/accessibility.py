"""Can everybody read the pages? axe-core in headless Chromium, light and dark: `make accessibility`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from html import unescape
from itertools import product
from pathlib import Path

import click

GRAVE = ("serious", "critical")
SCHEMES = {"dark": 0, "light": 1}  # as Chromium's settings number what the user prefers
RUN = """<script>{axe}</script><script>
addEventListener("load", () => axe.run().then(found => {{
  const told = document.createElement("pre");
  told.id = "axe-found";
  told.textContent = JSON.stringify(found.violations.map(each => [each.impact, each.id, each.help,
    each.nodes.slice(0, 3).map(node => node.html.slice(0, 160))]));
  document.body.append(told);
}}));
</script></body>"""


@click.command(context_settings={"show_default": True})
@click.argument("pages", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--axe", required=True, type=click.Path(exists=True, path_type=Path), help="axe.min.js of axe-core.")
def main(pages: tuple[Path, ...], axe: Path) -> None:
    """Check pages with axe-core, in light and dark; print what it finds, and fail on serious and critical findings.

    Example: python -m benchmarks.accessibility out/docs/index.html --axe out/axe/node_modules/axe-core/axe.min.js
    """
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        raise click.ClickException("needs Chromium on the path")
    grave = 0
    for page, scheme in product(pages, SCHEMES):
        found = findings(page, axe.read_text(encoding="utf-8"), browser, scheme)
        grave += sum(impact in GRAVE for impact, *_ in found)
        click.echo(f"{page}, {scheme}: {len(found)} findings")
        for impact, name, told, places in found:
            click.echo(f"  {impact}: {name}: {told}\n" + "\n".join(f"    {place}" for place in places))
    if grave:
        raise click.ClickException(f"{grave} findings are serious or critical")


def findings(page: Path, axe: str, browser: str, scheme: str) -> list[list[str]]:
    """Impact, name, explanation and places of what axe-core finds in a page."""
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as profile:
        copy = page.with_name(f"axe-{page.name}")  # beside it: styles are found there
        try:
            copy.write_text(text.replace("</body>", RUN.format(axe=axe.replace("</", "<\\/"))), encoding="utf-8")
            options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900", "--dump-dom"]
            options += [f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}"]
            options += ["--virtual-time-budget=20000", f"--user-data-dir={profile}", copy.resolve().as_uri()]
            run = subprocess.run([browser, *options], capture_output=True, text=True, timeout=300, check=True)
        finally:
            copy.unlink()
    told = re.search(r'<pre id="axe-found">(.*?)</pre>', run.stdout, flags=re.S)
    if told is None:
        raise click.ClickException(f"{page}: axe-core did not end")
    found: list[list[str]] = json.loads(unescape(told[1]))
    return found


if __name__ == "__main__":
    main()
