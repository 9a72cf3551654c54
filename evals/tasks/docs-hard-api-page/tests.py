import re
from collections import Counter

from markdown_it import MarkdownIt

PAGE, TOOL = "docs/api.md", "tools/api_page.py"
HEADINGS = """
# API
## catalogue
### normalised
### find
### Catalogue
#### Catalogue.add
#### Catalogue.find
#### Catalogue.titles
## dates
### is_open
### next_open_day
## labels
### code
### find
## loans
### Loan
#### Loan.from_record
#### Loan.record
#### Loan.renew
#### Loan.due
### lend
"""
PAGES = []
"""Of the package with the module zoo, once it has been read."""
ZOO = (
    '"""Animals. Begin with `Zoo`, `zoo.feed` or `find`."""'
    + """

__all__ = ["feed", "Zoo", "Cage", "loan", "nap"]


def feed(animal, *, times=1):
    '''Feeds with `feed`, `hunger()` and `Zoo.feed()`; ``nap`` stays, and so does [`nap`](zoo.md).

    >>> feed("`nap`")
    '`nap`'

    After it, `nap` or `lend`, but not `time.sleep`.

        nap()  # `nap`

    ```
    `nap`
    ```

    And `nap` again.
    '''


class Zoo:
    '''Has `feed`, `find`, `nap`, `Zoo`, `Cage.open` and `Loan.due`; not `open`, `_secret`, `loans` or `zoo.Lion`.'''

    def feed(self, animal):
        '''As `zoo.feed`, for `feed` and `Zoo.feed`.'''

    async def wait(self, hours: float = 0.5) -> None:
        '''Calls `nap`, then `Zoo.close`.'''

    @staticmethod
    def close(gate, *others):
        '''See `labels.find`.'''

    @classmethod
    def of(cls, *animals, **names):
        pass

    @property
    def size(self):
        '''See `catalogue.Catalogue.find()`.'''

    @size.setter
    def size(self, size):
        '''Not `feed`.'''

    def _secret(self):
        '''Not `feed`.'''


class Cage:
    def open(self):
        '''Not `feed()`: `feed`; `wait` is of another class.'''


class Hidden:
    '''Not exported.'''


def loan():
    '''Not `Loan`, but `loan`.'''


async def nap(minutes=10):
    '''Short.'''


def hunger():
    '''Not exported.'''
"""
)
ZOO_HEADINGS = """
## zoo
### feed
### Zoo
#### Zoo.feed
#### Zoo.wait
#### Zoo.close
#### Zoo.of
#### Zoo.size
### Cage
#### Cage.open
### loan
### nap
"""
ARCHIVE = '''
__all__ = ["lend", "find", "loans"]


def lend():
    """See `find`."""


def find():
    """See `lend`."""


def loans():
    """See `Loan`, `loans.lend` and `labels.find`."""
'''


class Page:
    """Headings of a page in order; of each, its anchor, signature, links (to headings) and text."""

    def __init__(self, text):
        self.text = text
        self.headings, self.anchors, self.signatures, self.links, self.texts, self.contents = [], {}, {}, {}, {}, []
        seen, key = Counter(), None
        tokens = MarkdownIt("commonmark").parse(text)
        for place, token in enumerate(tokens):
            if token.type == "heading_open":
                title = tokens[place + 1].content
                slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
                self.headings.append(f"{token.markup} {title}")
                key = len(self.headings) - 1
                self.anchors[f"{slug}-{seen[slug]}" if seen[slug] else slug] = key
                seen[slug] += 1
                self.links[key], self.texts[key] = [], []
            elif token.type == "fence" and token.info == "python" and tokens[place - 1].type == "heading_close":
                self.signatures[key] = token.content.strip()
            elif token.type in ("fence", "code_block"):
                self.texts[key].append(token.content)
            elif token.type == "inline" and tokens[place - 1].type != "heading_open":
                self._read(token, key)

    def _read(self, token, key):
        target = None
        for child in token.children:
            if child.type == "link_open":
                target, shown = child.attrs["href"], ""
            elif child.type == "link_close":
                self.links[key].append((shown, target))
                target = None
            elif target is not None:
                shown += child.content
        self.texts[key].append(token.content)

    def key(self, heading, module):
        """The place of a heading in the part of a module."""
        return self.headings.index(heading, self.headings.index(f"## {module}"))

    def linked(self, heading, module):
        """Words of each link below a heading, and the module and heading that it leads to."""
        return [(shown, self.leads_to(target)) for shown, target in self.links[self.key(heading, module)]]

    def leads_to(self, target):
        if not target.startswith("#"):
            return target
        assert target[1:] in self.anchors, target
        place = self.anchors[target[1:]]
        module = [heading for heading in self.headings[: place + 1] if heading.startswith("## ")][-1]
        return f"{module[3:]}: {self.headings[place].lstrip('# ')}"


def written(project, files=None):
    """The page that the tool writes."""
    ran = project.run("python", TOOL, files=files, keep=[PAGE])
    assert ran.exit_code == 0, ran
    assert isinstance(ran.files[PAGE], str)
    return ran.files[PAGE]


def with_zoo(project):
    if not PAGES:
        PAGES.append(Page(written(project, {"shelfmark/zoo.py": ZOO})))
    return PAGES[0]


def test_the_page_is_what_the_tool_writes(project):
    assert project.texts[PAGE] == written(project)


def test_check_still_tells(project):
    assert project.run("python", TOOL, "--check").exit_code == 0
    stale = {"shelfmark/labels.py": project.before["shelfmark/labels.py"].replace("Three letters", "Four letters")}
    ran = project.run("python", TOOL, "--check", files=stale, keep=[PAGE])
    assert ran.exit_code == 1
    assert "docs/api.md is out of date" in ran.stdout
    assert ran.files[PAGE] == project.texts[PAGE]


def test_classes_and_methods_have_headings(project):
    assert Page(project.texts[PAGE]).headings == HEADINGS.split("\n")[1:-1]


def test_contents_lead_to_the_right_headings(project):
    page = Page(project.texts[PAGE])
    wanted, module = [], ""
    for heading in HEADINGS.split("\n")[2:-1]:
        marks, name = heading.split()
        module = name if marks == "##" else module
        wanted += [(name, f"{module}: {name}")] if len(marks) < 4 else []
    assert [(shown, page.leads_to(target)) for shown, target in page.links[0]] == wanted


def test_signatures_and_links_of_the_package(project):
    page = Page(project.texts[PAGE])
    assert page.signatures[page.key("### Catalogue", "catalogue")] == "Catalogue(titles=())"
    assert page.signatures[page.key("#### Catalogue.titles", "catalogue")] == "titles"
    assert page.signatures[page.key("#### Loan.from_record", "loans")] == "from_record(record)"
    assert page.linked("### normalised", "catalogue") == [
        ("find", "catalogue: find"),
        ("Catalogue.find", "catalogue: Catalogue.find"),
    ]
    assert page.linked("### find", "catalogue") == [
        ("normalised", "catalogue: normalised"),
        ("labels.find", "labels: find"),
    ]
    assert page.linked("### Catalogue", "catalogue") == [("add", "catalogue: Catalogue.add"), ("lend", "loans: lend")]
    assert page.linked("#### Catalogue.add", "catalogue") == [("find", "catalogue: Catalogue.find")]
    assert page.linked("#### Catalogue.find", "catalogue") == [("catalogue.find", "catalogue: find")]
    assert page.linked("### next_open_day", "dates") == [("is_open()", "dates: is_open")]
    assert page.linked("### find", "labels") == [("code", "labels: code")]
    assert page.linked("### Loan", "loans") == [
        ("lend", "loans: lend"),
        ("Loan.renew", "loans: Loan.renew"),
        ("due", "loans: Loan.due"),
    ]
    assert page.linked("#### Loan.from_record", "loans") == [("record", "loans: Loan.record")]
    assert page.linked("#### Loan.due", "loans") == [("next_open_day", "dates: next_open_day")]
    assert page.linked("### lend", "loans") == [("Loan", "loans: Loan"), ("Catalogue", "catalogue: Catalogue")]


def test_another_module_has_its_headings_and_signatures(project):
    page = with_zoo(project)
    assert page.headings == HEADINGS.split("\n")[1:-1] + ZOO_HEADINGS.split("\n")[1:-1]
    signatures = {
        "### feed": "feed(animal, *, times=1)",
        "### Zoo": "Zoo()",
        "#### Zoo.feed": "feed(animal)",
        "#### Zoo.close": "close(gate, *others)",
        "#### Zoo.of": "of(*animals, **names)",
        "#### Zoo.size": "size",
        "### Cage": "Cage()",
        "#### Cage.open": "open()",
        "### loan": "loan()",
    }
    for heading, expected in signatures.items():
        assert page.signatures[page.key(heading, "zoo")] == expected
    for heading, expected in {"#### Zoo.wait": "wait(hours: float=0.5)", "### nap": "nap(minutes=10)"}.items():
        shown = page.signatures[page.key(heading, "zoo")].removeprefix("async ").removesuffix(" -> None")
        assert shown.replace(" = ", "=") == expected
    for heading in ("#### Zoo.of", "### Cage"):
        assert page.texts[page.key(heading, "zoo")] == ["Not described."]


def test_names_mean_what_is_nearest(project):
    page = with_zoo(project)
    assert page.linked("## zoo", "zoo") == [("Zoo", "zoo: Zoo"), ("zoo.feed", "zoo: feed")]
    assert page.linked("### Zoo", "zoo") == [
        ("feed", "zoo: Zoo.feed"),
        ("nap", "zoo: nap"),
        ("Cage.open", "zoo: Cage.open"),
        ("Loan.due", "loans: Loan.due"),
    ]
    assert page.linked("#### Zoo.feed", "zoo") == [("zoo.feed", "zoo: feed")]
    assert page.linked("#### Zoo.wait", "zoo") == [("nap", "zoo: nap"), ("Zoo.close", "zoo: Zoo.close")]
    assert page.linked("#### Zoo.close", "zoo") == [("labels.find", "labels: find")]
    assert page.linked("#### Zoo.size", "zoo") == [("catalogue.Catalogue.find()", "catalogue: Catalogue.find")]
    assert page.linked("#### Cage.open", "zoo") == [("feed()", "zoo: feed"), ("feed", "zoo: feed")]
    assert page.linked("### loan", "zoo") == [("Loan", "loans: Loan")]


def test_code_and_links_stay_as_they_are(project):
    page = with_zoo(project)
    assert page.linked("### feed", "zoo") == [
        ("Zoo.feed()", "zoo: Zoo.feed"),
        ("nap", "zoo.md"),
        ("nap", "zoo: nap"),
        ("lend", "loans: lend"),
        ("nap", "zoo: nap"),
    ]
    texts = page.texts[page.key("### feed", "zoo")]
    assert "``nap`` stays" in texts[0] and "`time.sleep`" in texts[2]
    assert texts[1] == ">>> feed(\"`nap`\")\n'`nap`'\n"
    assert texts[3:5] == ["nap()  # `nap`\n", "`nap`\n"]


def test_repeated_headings_have_anchors_of_their_own(project):
    page = Page(written(project, {"shelfmark/archive.py": ARCHIVE}))
    assert page.linked("### lend", "archive") == [("find", "archive: find")]
    assert page.linked("### find", "archive") == [("lend", "archive: lend")]
    assert page.linked("### loans", "archive") == [
        ("Loan", "loans: Loan"),
        ("loans.lend", "loans: lend"),
        ("labels.find", "labels: find"),
    ]
    assert page.linked("### Loan", "loans")[0] == ("lend", "loans: lend")
    assert page.linked("### Catalogue", "catalogue") == [("add", "catalogue: Catalogue.add")]
    contents = [page.leads_to(target) for shown, target in page.links[0] if shown == "loans"]
    assert contents == ["archive: loans", "loans: loans"]


def test_nothing_else_has_changed(project):
    paths = {**project.before, **project.texts}
    changed = {path for path in paths if project.before.get(path) != project.texts.get(path)}
    assert all(path == PAGE or path.startswith("tools/") for path in changed), changed
