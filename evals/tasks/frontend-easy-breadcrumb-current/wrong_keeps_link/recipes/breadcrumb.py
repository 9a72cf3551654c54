"""The way from the home page to the page that is shown."""

from recipes.markup import Markup, element, link


def breadcrumb(trail):
    """The navigation for a trail: an iterable of (label, path), from the home page on. Empty if the trail is."""
    trail = list(trail)
    if not trail:
        return Markup("")
    entries = [element("li", {}, link(path, label)) for label, path in trail[:-1]]
    label, path = trail[-1]
    entries.append(element("li", {}, element("span", {"aria-current": "page"}, link(path, label))))
    return element("nav", {"class": "breadcrumb", "aria-label": "Breadcrumb"}, element("ol", {}, *entries))
