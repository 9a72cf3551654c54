"""What stands above a page, between two lines of dashes."""


def split_page(text):
    """(front matter as a dict, the rest)."""
    if not text.startswith("---\n"):
        return {}, text
    head, _, body = text[4:].partition("\n---\n")
    pairs = (line.partition(":") for line in head.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}, body


def owner(meta, default="docs"):
    return meta.get("owner", default)
