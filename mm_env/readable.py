"""What an object tells a person who prints it, or shows it in a notebook: its facts, or a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


class Readable:
    """An object that is told by its facts, names and what they are."""

    def facts(self) -> Sequence[tuple[str, str]]:
        """What a person wants to know of it first."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={fact}' for name, fact in self.facts())})"

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, [], self.facts())


class ReadableTable:
    """An object that is told by a table."""

    def head(self) -> str:
        """What the table is of."""
        raise NotImplementedError

    def table(self) -> tuple[list[str], list[list[str]]]:
        """A header, and the rows below it."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{self.head()}\n{text_table(*self.table())}"

    def _repr_html_(self) -> str:
        return html_table(self.head(), *self.table())


def html_table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in HTML.

    Example:
        >>> html_table("Prices", ["mid"], [["< 100"]])
        '<table><caption>Prices</caption><tr><th>mid</th></tr><tr><td>&lt; 100</td></tr></table>'
    """
    lines = [*([_line("th", header)] if header else []), *(_line("td", row) for row in rows)]
    return f"<table><caption>{escape(caption)}</caption>{''.join(lines)}</table>"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its columns aligned.

    Example:
        >>> print(text_table(["policy", "pnl"], [["never", "4.7"]]))
        | policy | pnl |
        |--------|-----|
        | never  | 4.7 |
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [f"| {' | '.join(map(str.ljust, row, widths))} |" for row in (header, *rows)]
    return "\n".join([lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]])


def markdown_rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown as its lines, for pages.

    Example:
        >>> markdown_rows(["policy", "pnl"], [["never", "4.7"]])
        ['| policy | pnl |', '| --- | --- |', '| never | 4.7 |']
    """
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]


def _line(kind: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{kind}>{escape(cell)}</{kind}>' for cell in cells)}</tr>"
