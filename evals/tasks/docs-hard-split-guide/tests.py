import posixpath
import re
from collections import Counter
from html.parser import HTMLParser

import yaml
from markdown_it import MarkdownIt

GUIDE, HELP = "docs/guide.md", "docs/help/troubleshooting.md"
SITE = "https://portside.example.org/docs/"
TITLES = [
    ("h1", "Troubleshooting"),
    ("h2", "The installation fails"),
    ("h2", "Port in use"),
    ("h3", "Ports below 1024"),
    ("h2", "Linux"),
    ("h2", "Connections break off"),
]


class Anchors(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.targets = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.targets += [value for name, value in attrs if tag == "a" and name == "href"]


def parse(text):
    return MarkdownIt("commonmark").parse(text)


def words(token):
    shown = [child.content or " " for child in token.children or [] if child.type != "html_inline"]
    return " ".join("".join(shown).split())


def headings(text):
    """Level, words and anchor of each heading, and the words of what follows, up to the next one."""
    tokens, found, seen = parse(text), [], Counter()
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            title = words(tokens[place + 1])
            slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            found.append([token.tag, title, f"{slug}-{seen[slug]}" if seen[slug] else slug, ""])
            seen[slug] += 1
        elif found and token.type == "inline" and tokens[place - 1].type != "heading_open":
            found[-1][3] += words(token) + "\n"
        elif found and token.type in ("fence", "code_block"):
            found[-1][3] += token.content
    return [tuple(one) for one in found]


def destination(texts, path, anchor):
    """What is read first where a link leads: of a page its title, without its level; None if it leads nowhere."""
    if path not in texts:
        return None
    if not path.endswith(".md"):
        return path, texts[path]
    found = headings(texts[path])
    return next((one[1::2] for one in found if one[2] == anchor or not anchor), None)


def links(path, text):
    """Words and target of each link and picture of a page."""
    for token in parse(text):
        if token.type == "html_block":
            yield from (("html", target) for target in Anchors(token.content).targets)
        words_of = None
        for child in token.children or []:
            if child.type == "image":
                yield child.content, child.attrs["src"]
            elif child.type == "link_open":
                words_of, target = [], child.attrs["href"]
            elif child.type == "link_close":
                yield " ".join("".join(words_of).split()), target
                words_of = None
            elif child.type == "html_inline":
                yield from (("html", target) for target in Anchors(child.content).targets)
            elif words_of is not None:
                words_of.append(child.content or " ")


def where_links_lead(texts):
    found = Counter()
    for page in [path for path in texts if path.endswith(".md")]:
        for shown, target in links(page, texts[page]):
            if "://" in target:
                found[shown, target] += 1
                continue
            path, _, anchor = target.partition("#")
            path = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
            found[shown, destination(texts, path, anchor)] += 1
    return found


def nav_pages(items):
    for item in items:
        yield from [(item["title"], item["page"])] if "page" in item else nav_pages(item["pages"])


def redirects(texts):
    return yaml.safe_load(texts["docs/redirects.yml"])


def redirected(texts, target):
    path, _, anchor = target.partition("#")
    return destination(texts, f"docs/{path}", anchor)


def test_the_new_page_has_the_section(project):
    found = headings(project.texts[HELP])
    assert [one[:2] for one in found] == TITLES
    start = [one[2] for one in headings(project.before[GUIDE])].index("troubleshooting")
    section = headings(project.before[GUIDE])[start : start + len(TITLES)]
    assert [one[3].strip() for one in found] == [one[3].strip() for one in section]


def test_the_guide_keeps_the_rest(project):
    before = headings(project.before[GUIDE])
    start = [one[2] for one in before].index("troubleshooting")
    rest = before[:start] + before[start + len(TITLES) :]
    found = headings(project.texts[GUIDE])
    assert [(tag, title, text.strip()) for tag, title, _, text in found] == [
        (tag, title, text.strip()) for tag, title, _, text in rest
    ]


def test_links_lead_where_they_led(project):
    before, after = where_links_lead(project.before), where_links_lead(project.texts)
    assert all(place is not None for _, place in after), [shown for shown, place in after if place is None]
    assert before - after == Counter(), [shown for shown, _ in before - after]


def test_there_is_no_absolute_link_to_the_site(project):
    for path, text in project.texts.items():
        if path.endswith(".md"):
            assert not any(target.startswith((SITE, "/")) for _, target in links(path, text)), path


def test_other_pages_keep_their_words(project):
    for path in ("README.md", "docs/faq.md", "docs/reference/settings.md", "docs/reference/commands.md"):
        assert headings(project.texts[path]) == headings(project.before[path]), path
    assert project.texts["CONTRIBUTING.md"] == project.before["CONTRIBUTING.md"]


def test_the_navigation_has_every_page_once(project):
    pages = list(nav_pages(yaml.safe_load(project.texts["docs/nav.yml"])))
    before = list(nav_pages(yaml.safe_load(project.before["docs/nav.yml"])))
    assert [one for one in pages if one[1] != "help/troubleshooting.md"] == before
    assert ("Troubleshooting", "help/troubleshooting.md") in pages and len(pages) == len(before) + 1


def test_old_redirects_lead_where_they_led(project):
    before, after = redirects(project.before), redirects(project.texts)
    for source, target in before.items():
        assert source in after, source
        place = redirected(project.texts, after[source])
        assert place is not None and place == redirected(project.before, target), source


def test_anchors_that_went_are_redirected(project):
    after = redirects(project.texts)
    old = {anchor: (title, text) for _, title, anchor, text in headings(project.before[GUIDE])}
    kept = {anchor for _, _, anchor, _ in headings(project.texts[GUIDE])}
    for anchor in old.keys() - kept:
        target = after.get(f"guide.md#{anchor}")
        assert target is not None, anchor
        assert redirected(project.texts, target) == old[anchor], anchor
    for source in after:
        path, _, anchor = source.partition("#")
        assert redirected(project.texts, source) is None, source
        assert path == "guide.md" or source in redirects(project.before), source


def test_what_the_program_prints_follows(project):
    explain = project.module("portside.messages").explain
    expected = {
        "Address in use: 8080": "help/troubleshooting.html#port-in-use",
        "Permission denied": "help/troubleshooting.html#ports-below-1024",
        "no socket": "help/troubleshooting.html#linux",
        "No such setting: x": "reference/settings.html",
        "timed out": "guide.html#time-limits",
    }
    for failure, link in expected.items():
        assert explain(failure) == f"{failure} (see {SITE}{link})"
    assert explain("Out of cheese") == "Out of cheese"


def test_nothing_else_has_changed(project):
    may_change = {"README.md", "docs/nav.yml", "docs/redirects.yml", "portside/messages.py"}
    paths = {**project.before, **project.texts}
    changed = {path for path in paths if project.before.get(path) != project.texts.get(path)}
    assert all(path in may_change or (path.startswith("docs/") and path.endswith(".md")) for path in changed)
    assert set(project.texts) == {*project.before, HELP}
