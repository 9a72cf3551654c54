"""Where pages are."""

import re


def slug(title):
    """In a path, "Soups & stews" is "soups-stews"."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def category_path(names):
    return "/" + "".join(f"{slug(name)}/" for name in names)


def recipe_path(names, title):
    return f"{category_path(names)}{slug(title)}.html"
