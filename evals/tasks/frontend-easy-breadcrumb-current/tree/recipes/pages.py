"""Whole pages."""

from recipes.breadcrumb import breadcrumb
from recipes.markup import Markup, element, link
from recipes.paths import category_path, recipe_path

HOME = ("Home", "/")


def page(title, *parts):
    head = element("head", {}, element("meta", {"charset": "utf-8"}), element("title", {}, title))
    return Markup("<!doctype html>\n" + element("html", {"lang": "en"}, head, element("body", {}, *parts)))


def home_page(categories):
    entries = [element("li", {}, link(category_path([name]), name)) for name in categories]
    return page("Recipes", element("h1", {}, "Recipes"), element("ul", {"class": "categories"}, *entries))


def category_trail(names):
    yield HOME
    for depth, name in enumerate(names, 1):
        yield name, category_path(names[:depth])


def category_page(names, recipes):
    """A category, given by the names of those around it and its own, with the titles of its recipes."""
    entries = [element("li", {}, link(recipe_path(names, title), title)) for title in recipes]
    return page(
        names[-1],
        breadcrumb(category_trail(names)),
        element("h1", {}, names[-1]),
        element("ul", {"class": "recipes"}, *entries),
    )


def recipe_page(names, title, steps):
    trail = [*category_trail(names), (title, recipe_path(names, title))]
    return page(
        title,
        breadcrumb(trail),
        element("h1", {}, title),
        element("ol", {"class": "steps"}, *(element("li", {}, step) for step in steps)),
    )
