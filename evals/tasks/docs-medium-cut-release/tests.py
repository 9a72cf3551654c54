import re

from markdown_it import MarkdownIt

NUMBER = "0.10.0"
LINKS = "https://git.example.org/tidewatch"
ADDED = ["`tidewatch --json` writes times and heights as JSON."]
CHANGED = [
    "**Breaking:** `Harbour.height` gives metres instead of centimetres; `Harbour.height_cm` gives centimetres.",
    "The chart is 80 columns wide.",
    "`tidewatch --hours` takes up to 744 hours, a month.",
]
REMOVED = [
    "**Breaking:** `load_harbour` no longer reads the old format `.tide`; `tidewatch.convert` makes JSON of it.",
    "The option `--utc`, which has done nothing since 0.9.0.",
]
FIXED = ["Harbours with a single wave no longer fail.", "Times before 1970 are read as they are written."]
BREAKING = [
    {"Harbour.height", "Harbour.height_cm"},
    {"load_harbour", ".tide", "tidewatch.convert"},
]


def sections(text, level):
    """Heading and text of each section of a level, in order."""
    parts = re.split(rf"^#{{{level}}} +(.+?)\s*$", text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def release(project):
    return dict(sections(project.texts["CHANGELOG.md"], 2))[f"[{NUMBER}] - 2024-06-03"]


def inlines(text):
    return [token for token in MarkdownIt("commonmark").parse(text) if token.type == "inline"]


def links(text):
    found = [child for token in inlines(text) for child in token.children if child.type == "link_open"]
    return [child.attrs["href"] for child in found]


def codes(text):
    """All that stands as code, in a line or as a block."""
    tokens = MarkdownIt("commonmark").parse(text)
    blocks = [token.content for token in tokens if token.type in ("fence", "code_block")]
    spans = [child for token in inlines(text) for child in token.children if child.type == "code_inline"]
    return blocks + [child.content for child in spans]


def says(note, names):
    """Whether a note has all these names as code."""
    return all(any(name in code for code in codes(note)) for name in names)


def is_same(entry, words):
    """Whether an entry has these words; a breaking one also a link at its end, and few words around that."""
    plain = " ".join(re.sub(r"\[[^]]*\]\([^)]*\)", "", entry).split())
    if "**Breaking:**" not in words:
        return plain.rstrip(" .") == words.rstrip(".")
    return plain.startswith(words.rstrip(".")) and len(plain.split()) <= len(words.split()) + 6


def test_the_number_is_where_it_belongs(project):
    assert f'\nversion = "{NUMBER}"\n' in project.texts["pyproject.toml"]
    assert f'\n__version__ = "{NUMBER}"\n' in project.texts["tidewatch/__init__.py"]
    assert f"pip install tidewatch=={NUMBER}\n" in project.texts["README.md"]
    assert f'pip install "tidewatch=={NUMBER}"\n' in project.texts["docs/install.md"]


def test_nothing_else_of_these_files_changes(project):
    for path in ("pyproject.toml", "tidewatch/__init__.py", "README.md", "docs/install.md"):
        expected = re.sub(r'(== ?|version(?:__)? = ")0\.9\.3', rf"\g<1>{NUMBER}", project.before[path])
        assert project.texts[path].rstrip() == expected.rstrip(), path


def test_the_changelog_has_the_release_below_an_empty_unreleased(project):
    found = sections(project.texts["CHANGELOG.md"], 2)
    assert [heading.split("]")[0][1:] for heading, _ in found] == ["Unreleased", NUMBER, "0.9.3", "0.9.0", "0.8.1"]
    assert found[0] == ("[Unreleased]", found[0][1]) and not found[0][1].strip()
    assert found[1][0] == f"[{NUMBER}] - 2024-06-03"


def test_groups_and_entries_are_in_order(project):
    groups = [(name, [token.content for token in inlines(text)]) for name, text in sections(release(project), 3)]
    assert [name for name, _ in groups] == ["Added", "Changed", "Removed", "Fixed"]
    for (name, entries), expected in zip(groups, (ADDED, CHANGED, REMOVED, FIXED), strict=True):
        assert len(entries) == len(expected), name
        assert all(map(is_same, entries, expected)), name


def test_links_at_the_end_compare_tags(project):
    seen = {}
    MarkdownIt("commonmark").parse(project.texts["CHANGELOG.md"], seen)
    assert {name.lower(): link["href"] for name, link in seen["references"].items()} == {
        "unreleased": f"{LINKS}/compare/v{NUMBER}...main",
        NUMBER: f"{LINKS}/compare/v0.9.3...v{NUMBER}",
        "0.9.3": f"{LINKS}/compare/v0.9.0...v0.9.3",
        "0.9.0": f"{LINKS}/compare/v0.8.1...v0.9.0",
        "0.8.1": f"{LINKS}/releases/v0.8.1",
    }


def test_earlier_releases_are_history(project):
    before, after = (text["CHANGELOG.md"] for text in (project.before, project.texts))
    start, end = before.index("## [0.9.3]"), before.index("\n[Unreleased]:")
    assert before[start:end].strip() in after
    assert after.startswith(before[: before.index("## [Unreleased]")])


def test_upgrading_has_a_section_for_each_breaking_change(project):
    before, after = (text["docs/upgrading.md"] for text in (project.before, project.texts))
    assert [heading for heading, _ in sections(after, 2)] == ["From 0.9 to 0.10", "From 0.8 to 0.9"]
    assert after.rstrip().endswith(before[before.index("## From 0.8") :].rstrip())
    assert after.startswith(before[: before.index("## From 0.8")].rstrip())
    notes = sections(sections(after, 2)[0][1], 3)
    assert len(notes) == 2
    for names in BREAKING:
        assert any(says(f"# {heading}\n\n{text}", names) for heading, text in notes), names


def test_breaking_entries_link_to_their_own_note(project):
    page = project.texts["docs/upgrading.md"]
    notes = {}
    for heading, text in sections(sections(page, 2)[0][1], 3):
        plain = "".join(child.content for child in inlines(f"# {heading}")[0].children)
        notes[re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")] = f"# {heading}\n\n{text}"
    entries = [token.content for token in inlines(release(project))]
    breaking = [entry for entry in entries if "**Breaking:**" in entry]
    assert len(breaking) == 2
    for entry, names in zip(breaking, BREAKING, strict=True):
        path, _, anchor = links(entry)[-1].partition("#")
        assert path.removeprefix("./") == "docs/upgrading.md" and anchor in notes, entry
        assert says(notes[anchor], names), entry
    assert all("upgrading" not in entry for entry in entries if entry not in breaking)


def test_what_the_release_does_not_touch_is_as_before(project):
    may_change = {"pyproject.toml", "tidewatch/__init__.py", "README.md", "docs/install.md"}
    may_change |= {"CHANGELOG.md", "docs/upgrading.md"}
    paths = {**project.before, **project.texts}
    assert {path for path in paths if project.before.get(path) != project.texts.get(path)} <= may_change
