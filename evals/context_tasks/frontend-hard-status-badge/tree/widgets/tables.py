"""Tables."""

from widgets.html import escape


def row(cells, tag="td"):
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def table(header, rows):
    return "<table>" + row(header, "th") + "".join(map(row, rows)) + "</table>"
