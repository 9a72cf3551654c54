"""The way from the home page to the page that is shown."""

from recipes.markup import Markup, element, link


def breadcrumb(trail):
    """The navigation for a trail: a list of (label, path), from the home page on. Empty if the trail is."""
    if not trail:
        return Markup("")
    entries = []
    for number, (label, path) in enumerate(trail):
        if number == len(trail) - 1:
            entries.append(element("li", {}, element("span", {"aria-current": "page"}, label)))
        else:
            entries.append(element("li", {}, link(path, label)))
    return element("nav", {"class": "breadcrumb", "aria-label": "Breadcrumb"}, element("ol", {}, *entries))
