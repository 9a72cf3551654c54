from html.parser import HTMLParser


class Breadcrumb(HTMLParser):
    """Attributes of each `nav`, and of each entry of it: its text, the paths it links to, and what is marked in it."""

    def __init__(self, markup):
        super().__init__()
        assert type(markup) is str
        self.navs, self.entries, self.elsewhere = [], [], []
        self._in_nav = self._in_entry = False
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "nav":
            self.navs.append(attributes)
            self._in_nav = True
        if tag == "li" and self._in_nav:
            self.entries.append({"text": "", "links": [], "marked": []})
            self._in_entry = True
        if self._in_entry and tag == "a":
            self.entries[-1]["links"].append(attributes.get("href"))
        if self._in_entry and tag not in ("li", "a", "span"):
            self.entries[-1]["text"] += f"<{tag}>"
        if "aria-current" in attributes:
            place = self.entries[-1]["marked"] if self._in_entry else self.elsewhere
            place.append((tag, attributes["aria-current"]))

    def handle_endtag(self, tag):
        if tag == "nav":
            self._in_nav = False
        if tag == "li":
            self._in_entry = False

    def handle_data(self, data):
        if self._in_entry:
            self.entries[-1]["text"] += data


def linked(text, path):
    return {"text": text, "links": [path], "marked": []}


def current(text):
    return {"text": text, "links": [], "marked": [("span", "page")]}


def rendered(project, trail):
    return Breadcrumb(project.module("recipes.breadcrumb").breadcrumb(trail))


def test_last_entry_is_text(project):
    found = rendered(project, [("Home", "/"), ("Soups", "/soups/"), ("Cold", "/soups/cold/")])
    assert found.entries == [linked("Home", "/"), linked("Soups", "/soups/"), current("Cold")]
    assert found.elsewhere == []


def test_a_trail_of_one(project):
    assert rendered(project, [("Home", "/")]).entries == [current("Home")]


def test_navigation_has_a_label(project):
    (nav,) = rendered(project, [("Home", "/"), ("Soups", "/soups/")]).navs
    assert nav == {"class": "breadcrumb", "aria-label": "Breadcrumb"}


def test_an_empty_trail_gives_nothing(project):
    assert project.module("recipes.breadcrumb").breadcrumb([]) == ""


def test_an_entry_may_come_twice(project):
    found = rendered(project, [("Home", "/"), ("Specials", "/"), ("Home", "/")])
    assert found.entries == [linked("Home", "/"), linked("Specials", "/"), current("Home")]
    found = rendered(project, [("Soups", "/soups/"), ("Soups", "/soups/soups/")])
    assert found.entries == [linked("Soups", "/soups/"), current("Soups")]


def test_labels_are_escaped_once(project):
    found = rendered(project, [("Home & <i>away</i>", "/?a=1&b=2"), ("Salt & <b>pepper</b>", "/salt/")])
    assert found.entries == [linked("Home & <i>away</i>", "/?a=1&b=2"), current("Salt & <b>pepper</b>")]


def test_pages_show_it(project):
    pages = project.module("recipes.pages")
    found = Breadcrumb(pages.category_page(["Soups", "Cold"], ["Gazpacho"]))
    assert found.entries == [linked("Home", "/"), linked("Soups", "/soups/"), current("Cold")]
    found = Breadcrumb(pages.recipe_page(["Soups"], "Leek soup", ["Chop.", "Boil."]))
    assert found.entries == [linked("Home", "/"), linked("Soups", "/soups/"), current("Leek soup")]


def test_other_links_and_lists_stay(project):
    pages = project.module("recipes.pages")
    text = pages.home_page(["Soups", "Salads"])
    assert '<li><a href="/salads/">Salads</a></li></ul>' in text
    assert "aria-current" not in text
    text = pages.category_page(["Soups"], ["Leek soup", "Borscht"])
    assert '<li><a href="/soups/borscht.html">Borscht</a></li></ul>' in text
