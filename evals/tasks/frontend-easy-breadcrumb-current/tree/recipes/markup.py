"""Elements of a page, as text."""

from html import escape

VOID = {"br", "hr", "img", "input", "link", "meta"}


class Markup(str):
    """Text that is HTML already, and is not escaped again."""


def element(tag, attributes=None, *children):
    """An element with its attributes and children. Children that are no Markup are escaped; None is left out."""
    opened = tag + "".join(f' {name}="{escape(str(value))}"' for name, value in (attributes or {}).items())
    if tag in VOID:
        return Markup(f"<{opened}>")
    return Markup(f"<{opened}>{''.join(map(content, children))}</{tag}>")


def content(child):
    if child is None:
        return ""
    return child if isinstance(child, Markup) else escape(str(child), quote=False)


def link(href, label):
    return element("a", {"href": href}, label)
