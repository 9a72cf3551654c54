"""Elements as text, escaped as they must be."""

VOID = {"br", "hr", "img", "input"}


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def element(tag, attributes, text=""):
    """An element with attributes in the order of their names, and text that is escaped here."""
    written = "".join(f' {name}="{escape(value)}"' for name, value in sorted(attributes.items()))
    return f"<{tag}{written}>" if tag in VOID else f"<{tag}{written}>{escape(text)}</{tag}>"
