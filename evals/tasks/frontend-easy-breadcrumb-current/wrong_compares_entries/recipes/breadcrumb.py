"""The way from the home page to the page that is shown."""

from recipes.markup import Markup, element, link


def breadcrumb(trail):
    """The navigation for a trail: an iterable of (label, path), from the home page on. Empty if the trail is."""
    trail = list(trail)
    if not trail:
        return Markup("")
    entries = [element("li", {}, entry(label, path, (label, path) == trail[-1])) for label, path in trail]
    return element("nav", {"class": "breadcrumb", "aria-label": "Breadcrumb"}, element("ol", {}, *entries))


def entry(label, path, is_current):
    return element("span", {"aria-current": "page"}, label) if is_current else link(path, label)
