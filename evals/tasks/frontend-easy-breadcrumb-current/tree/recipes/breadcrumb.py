"""The way from the home page to the page that is shown."""

from recipes.markup import Markup, element, link


def breadcrumb(trail):
    """The navigation for a trail: an iterable of (label, path), from the home page on. Empty if the trail is."""
    entries = [element("li", {}, link(path, label)) for label, path in trail]
    if not entries:
        return Markup("")
    return element("nav", {"class": "breadcrumb"}, element("ol", {}, *entries))
