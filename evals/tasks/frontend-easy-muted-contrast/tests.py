import re

from tools.contrast import contrast  # of the unchanged tree

TOKENS = "styles/tokens.css"
DEFAULT, MUTED = (), "--muted"
BACKGROUNDS = ("--page", "--panel", "--panel-active")


def declarations(css):
    """(at-rules around it, selector, property, value) of each declaration, in order."""
    css = re.sub(r"/\*.*?\*/", " ", css, flags=re.DOTALL)
    found, around = [], []
    for text, end in re.findall(r"([^{};]*)([{};])", css):
        text = " ".join(text.split())
        if end == "{":
            around.append(text)
            continue
        name, colon, value = text.partition(":")
        if colon:
            *at_rules, selector = around
            found.append((tuple(at_rules), selector, name.strip(), value.strip().lower()))
        if end == "}":
            around.pop()
    assert not around, "a brace is left open"
    return found


def palette(project):
    """The default palette of the changed tree."""
    found = {}
    for at_rules, selector, name, value in declarations(project.texts[TOKENS]):
        if at_rules == DEFAULT and selector == ":root":
            found[name] = value
    return found


def is_muted(declaration):
    at_rules, selector, name, _ = declaration
    return at_rules == DEFAULT and selector == ":root" and name == MUTED


def test_muted_is_one_colour(project):
    muted = [each for each in declarations(project.texts[TOKENS]) if is_muted(each)]
    assert len(muted) == 1
    assert re.fullmatch("#[0-9a-f]{6}", muted[0][3])


def test_muted_can_be_read_on_the_page(project):
    colours = palette(project)
    assert contrast(colours[MUTED], colours["--page"]) >= 4.5


def test_muted_can_be_read_on_all_backgrounds(project):
    colours = palette(project)
    for name in BACKGROUNDS:
        assert contrast(colours[MUTED], colours[name]) >= 4.5, name


def test_muted_is_told_from_text(project):
    colours = palette(project)
    assert contrast(colours[MUTED], colours["--page"]) < contrast(colours["--text"], colours["--page"])


def test_all_other_declarations_stay(project):
    for path in project.before:
        if path.endswith(".css"):
            before = [each for each in declarations(project.before[path]) if not is_muted(each)]
            after = [each for each in declarations(project.texts[path]) if not is_muted(each)]
            assert after == before, path


def test_no_style_sheet_is_added(project):
    sheets = [[path for path in texts if path.endswith(".css")] for texts in (project.texts, project.before)]
    assert sheets[0] == sheets[1]


def test_the_tool_stays(project):
    for one, other in (("#9aa5b1", "#ffffff"), ("#777777", "#dfe5ee"), ("#000000", "#ffffff")):
        ran = project.run("python", "tools/contrast.py", one, other)
        assert ran.stdout == f"{contrast(one, other):.2f}\n", ran
