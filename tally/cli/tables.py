"""A table on a terminal that is wide enough for it; on any other, a line for each row."""

import textwrap

from rich.cells import cell_len
from rich.console import Console
from rich.style import StyleType
from rich.table import Table

WIDEST = 1_000_000
"""Columns of a terminal that no table needs."""


def say_table(out: Console, table: Table, heading: str = "") -> None:
    """Print a table, or its rows as lines below a heading.

    In a narrow terminal rich would cut cells off, and a number without its end is another number.
    Only columns without `no_wrap` are wrapped.
    """
    for column in table.columns:
        if column.no_wrap:  # rich's measure ignores it
            column.min_width = max(map(cell_len, map(str, (column.header, *column.cells))))
    wide = out.options.update(max_width=WIDEST)
    if out.measure(table, options=wide).minimum <= out.width:
        out.print(table)
        return
    if heading:
        say_wrapped(out, heading)
    headers = [str(column.header) for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    for row, cells in zip(table.rows, rows, strict=True):
        pairs = list(zip(headers, map(str, cells), strict=True))[1:]
        text = "; ".join(f"{header} {cell}".lstrip() for header, cell in pairs if cell)
        say_wrapped(out, f"{cells[0]}: {text}", row.style, indent="  ")


def say_wrapped(out: Console, text: str, style: StyleType | None = None, indent: str = "") -> None:
    """Print a text, wrapped between words; a word longer than the terminal is left whole."""
    lines = textwrap.wrap(
        text,
        out.width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    out.print(*lines, sep="\n", style=style, soft_wrap=True)
