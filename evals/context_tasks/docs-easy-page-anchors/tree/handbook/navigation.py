"""Where a page stands among others."""


def breadcrumbs(path):
    """`guide/setup/linux` as [("guide", "guide"), ("setup", "guide/setup"), ("linux", "guide/setup/linux")]."""
    parts = path.strip("/").split("/")
    return [(part, "/".join(parts[: place + 1])) for place, part in enumerate(parts)]


def neighbours(pages, page):
    """The pages before and after; None at the ends."""
    place = pages.index(page)
    before = pages[place - 1] if place else None
    after = pages[place + 1] if place + 1 < len(pages) else None
    return before, after
