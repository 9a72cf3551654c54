"""Labels for spines."""

__all__ = ["code", "find"]


def code(author, title):
    """Three letters of the author and one of the title."""
    return f"{author[:3]}-{title[:1]}".upper()


def find(codes, prefix):
    """Codes that begin with a prefix, as `code` makes them."""
    return [one for one in codes if one.startswith(prefix)]


def _width(text):
    """How wide a label is, in millimetres."""
    return 3 * len(text)
