"""How the site is built: `make docs`."""

import csv
import io
import itertools
import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import market_pages  # noqa: E402

import mm_env  # noqa: E402
from mm_env.cli.main import main  # noqa: E402

SIGNATURE = re.compile(r"<dl>\n((?:<dd><em class=\"sig-param\">.*</dd>\n)+)</dl>")
project = html_title = "mm_env"
version = release = mm_env.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks show what is stored in them: `make notebooks`
html_theme = "furo"
html_show_copyright = html_show_sourcelink = html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
default_role = "code"  # docstrings mark code with single backticks
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 88


def setup(app: Sphinx) -> None:
    """The pages of the markets are written before pages are read."""
    app.connect("builder-inited", lambda app: market_pages.write(HERE / "generated"))
    app.connect("autodoc-process-docstring", markdown_to_rst)
    app.connect("build-finished", write_game)
    app.connect("html-page-context", mark_up, priority=900)  # after the theme's own


def mark_up(app: Sphinx, page: str, template: str, context: dict[str, object], tree: object) -> None:
    """What readers of screens and keyboards need to know, and the theme does not say."""
    navigation = str(context.get("furo_navigation_tree", ""))
    context["furo_navigation_tree"] = navigation.replace('role="heading"', 'role="heading" aria-level="2"')
    if body := str(context.get("body", "")):
        body = body.replace('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper')  # it scrolls
        body = body.replace('<div class="output text_html">', '<div tabindex="0" class="output text_html">')
        context["body"] = SIGNATURE.sub(lambda found: _lines(found[1]), body)


def _lines(parameters: str) -> str:
    """The parameters of a signature, a line each: they are no list of definitions."""
    return parameters.replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")


def write_game(app: Sphinx, error: Exception | None) -> None:
    """The game of the front page, beside it."""
    if error is None:
        arguments = ["game", "--market", "mm_env/DynamicSpread-v0", "--out", str(app.outdir / "game.html")]
        main(arguments, standalone_mode=False)


def markdown_to_rst(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Headings and tables of docstrings, written as in Markdown, as Sphinx reads them."""
    read: list[str] = []
    for is_table, group in itertools.groupby(lines, lambda line: line.startswith("|")):
        block = list(group)
        read += _table(block) if is_table else itertools.chain(*map(_heading, block))
    lines[:] = read


def _heading(line: str) -> list[str]:
    return [f".. rubric:: {line.removeprefix('## ')}", ""] if line.startswith("## ") else [line]


def _table(rows: list[str]) -> list[str]:
    header, _, *body = ([cell.strip() for cell in row.strip("| ").split(" | ")] for row in rows)
    text = io.StringIO()
    csv.writer(text).writerows([row + [""] * (len(header) - len(row)) for row in [header, *body]])
    return [".. csv-table::", "   :header-rows: 1", "", *(f"   {line}" for line in text.getvalue().splitlines()), ""]
