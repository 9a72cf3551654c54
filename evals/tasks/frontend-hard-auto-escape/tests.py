import json
from html.parser import HTMLParser
from xml.etree import ElementTree

# Runs beside the changed tree: carries out a list of jobs and writes down what came of each.
DRIVER = """
import { readFileSync, writeFileSync } from "node:fs";
import { renderFeed } from "./src/feed.mjs";
import { escapeHtml, html, raw, SafeHtml } from "./src/html.mjs";
import { renderIndexPage, renderPostPage } from "./src/page.mjs";

const work = {
  escaped: (value) => escapeHtml(value),
  inserted: (value) => String(html`<p title="${value}">${value}</p>`),
  left_out: () => String(html`${undefined}|${null}|${false}|${[undefined, [null]]}|${[]}|${""}`),
  nested: (value) => String(html`<ul>${html`<li>${html`<b>${value}</b>`}</li>`}</ul>`),
  listed: (values) => String(html`${values.map((value) => html`<i>${value}</i>`)}-${[[raw("<hr>"), values], "<"]}`),
  raw: (text) => String(html`${raw(text)}`) + String(raw(text)),
  kinds: () => [html`<p>` instanceof SafeHtml, raw("<p>") instanceof SafeHtml, html`` instanceof SafeHtml],
  own_text: (text) => String(html`${{ toString: () => text }}`),
  twice: (value) => { const part = html`<b>${value}</b>`; return String(html`${part}${part}`); },
  post: ({ post, comments }) => renderPostPage(post, comments),
  index: (posts) => renderIndexPage(posts),
  feed: (posts) => renderFeed("https://blog.example", posts),
};
function answer([name, value]) {
  try {
    return work[name](value);
  } catch (failure) {
    return { failed: String(failure) };
  }
}
const jobs = JSON.parse(readFileSync(0, "utf8"));
writeFileSync("answers.json", JSON.stringify(jobs.map((group) => group.map(answer))));
"""
NASTY = """<b title="x" lang='y'>&amp;</b></script>"""
NASTY_ESCAPED = "&lt;b title=&quot;x&quot; lang=&#39;y&#39;&gt;&amp;amp;&lt;/b&gt;&lt;/script&gt;"
FULL_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Harvest - Village blog</title></head>
<body>
<main><article>
<h1>Harvest</h1>
<p>It <strong>rains</strong>.</p>
<p>Again <code>now</code>.</p>
<footer><a class="tag" href="/tags/weather">weather</a> <a class="tag" href="/tags/farm">farm</a></footer>
</article>
<h2>Comments (2)</h2><ol><li id="comment-1"><a href="https://a.test" rel="nofollow"><b>Ann</b></a><p>Here too.</p></li>
<li id="comment-2"><b>Bob</b><p>Well.</p>
<p>No.</p></li></ol></main>
<script type="application/json" id="data">{"id":7,"title":"Harvest","tags":["weather","farm"]}</script>
</body>
</html>
"""
EMPTY_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Harvest - Village blog</title></head>
<body>
<main><article>
<h1>Harvest</h1>
<p>It <strong>rains</strong>.</p>
<p>Again <code>now</code>.</p>
</article>
<h2>Comments (0)</h2><p>Be the first.</p></main>
<script type="application/json" id="data">{"id":7,"title":"Harvest","tags":[]}</script>
</body>
</html>
"""
INDEX = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>All posts - Village blog</title></head>
<body>
<main>LIST</main>

</body>
</html>
"""
INDEX_LIST = """<ul><li><a href="/posts/7">Harvest</a>: Wet</li>
<li><a href="/posts/8">Frost</a></li></ul>"""
FEED = """\
<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel>
<title>Village blog</title>
<link>https://blog.example</link>
<item>
<title>Harvest</title>
<link>https://blog.example/posts/7</link>
<description>&lt;article&gt;
&lt;h1&gt;Harvest&lt;/h1&gt;
&lt;p&gt;It &lt;strong&gt;rains&lt;/strong&gt;.&lt;/p&gt;
&lt;p&gt;Again &lt;code&gt;now&lt;/code&gt;.&lt;/p&gt;
&lt;footer&gt;&lt;a class=&quot;tag&quot; href=&quot;/tags/farm&quot;&gt;farm&lt;/a&gt;&lt;/footer&gt;
&lt;/article&gt;</description>
</item>
<item>
<title>Frost</title>
<link>https://blog.example/posts/8</link>
<description>&lt;article&gt;
&lt;h1&gt;Frost&lt;/h1&gt;
&lt;p&gt;It &lt;strong&gt;rains&lt;/strong&gt;.&lt;/p&gt;
&lt;p&gt;Again &lt;code&gt;now&lt;/code&gt;.&lt;/p&gt;
&lt;/article&gt;</description>
</item>
</channel></rss>
"""


def post(**changes):
    return {
        "id": 7,
        "title": "Harvest",
        "text": "It **rains**.\n\nAgain `now`.",
        "tags": [],
        "summary": "Wet",
        **changes,
    }


def comment(author="Ann", text="Here too.", website=""):
    return {"author": author, "text": text, "website": website}


VALUES = [NASTY, "plain", "", 0, 12.5, True, {"markup": "<b>"}]
POSER_NAMES = ("markup", "_markup", "value", "text", "html", "__html", "safe", "isSafe", "content", "string", "raw")
ORDINARY_COMMENTS = [comment(website="https://a.test"), comment("Bob", "Well.\n\nNo.")]
NASTY_COMMENTS = [
    comment(NASTY, NASTY, f"https://ann.example/{NASTY}"),
    comment(NASTY),
    comment("&lt;", "x", "javascript:1"),
]
JOBS = {
    "values": [["inserted", value] for value in VALUES],
    "nothing": [["left_out", 0]],
    "templates": [["nested", NASTY], ["listed", ["<", "&"]], ["twice", "<"]],
    "kinds": [["raw", NASTY], ["kinds", 0], ["escaped", NASTY]],
    "objects": [["own_text", NASTY], ["inserted", dict.fromkeys(POSER_NAMES, "<b>x</b>")]],
    "pages": [
        ["post", {"post": post(tags=["weather", "farm"]), "comments": ORDINARY_COMMENTS}],
        ["post", {"post": post(), "comments": []}],
    ],
    "index": [["index", [post(), post(id=8, title="Frost", summary="")]], ["index", []]],
    "feed": [["feed", [post(tags=["farm"]), post(id=8, title="Frost")]], ["feed", []]],
    "nasty page": [["post", {"post": post(title=NASTY, text=NASTY, tags=[NASTY, "it's"]), "comments": NASTY_COMMENTS}]],
    "nasty index": [["index", [post(title=NASTY, summary=NASTY), post(title="A & B", summary="")]]],
    "nasty data": [["post", {"post": post(title=NASTY, tags=[NASTY, "<!--"]), "comments": []}]],
    "nasty feed": [["feed", [post(title=NASTY, text=NASTY, tags=[NASTY])]]],
}
RAN = []


def answers(project, name):
    """All jobs are done in one run, for the first test."""
    if not RAN:
        jobs = json.dumps(list(JOBS.values()))
        RAN.append(project.run("node", "driver.mjs", stdin=jobs, files={"driver.mjs": DRIVER}, keep=["answers.json"]))
    text = RAN[0].files["answers.json"]
    assert RAN[0].exit_code == 0 and text is not None, RAN[0]
    found = json.loads(text)[list(JOBS).index(name)]
    assert len(found) == len(JOBS[name])
    return found


class Parsed(HTMLParser):
    """Elements as (name, attributes, all text within), in order of their start."""

    def __init__(self, markup):
        super().__init__()
        assert type(markup) is str, markup
        self.elements, self._open = [], []
        self.feed(markup)
        self.close()

    def handle_starttag(self, name, attributes):
        self.elements.append([name, dict(attributes), ""])
        if name not in ("meta", "hr", "br"):
            self._open.append(self.elements[-1])

    def handle_endtag(self, name):
        assert self._open and self._open[-1][0] == name, f"</{name}> closes nothing"
        self._open.pop()

    def handle_data(self, data):
        for element in self._open:
            element[2] += data

    def names(self):
        return " ".join(name for name, _, _ in self.elements)

    def texts(self, name):
        return [text for found, _, text in self.elements if found == name]

    def attributes(self, name):
        return [attributes for found, attributes, _ in self.elements if found == name]


def test_values_are_escaped(project):
    texts = [NASTY_ESCAPED, "plain", "", "0", "12.5", "true", "[object Object]"]
    assert answers(project, "values") == [f'<p title="{text}">{text}</p>' for text in texts]


def test_nothing_comes_of_nothing(project):
    assert answers(project, "nothing") == ["|||||"]


def test_templates_are_inserted_as_they_are(project):
    nested, listed, twice = answers(project, "templates")
    assert nested == f"<ul><li><b>{NASTY_ESCAPED}</b></li></ul>"
    assert listed == "<i>&lt;</i><i>&amp;</i>-<hr>&lt;&amp;&lt;"
    assert twice == "<b>&lt;</b><b>&lt;</b>"


def test_raw_text_and_kinds(project):
    assert answers(project, "kinds") == [
        NASTY + NASTY,
        [True, True, True],
        NASTY_ESCAPED,
    ]


def test_only_safe_html_is_safe(project):
    own_text, posing = answers(project, "objects")
    assert own_text == NASTY_ESCAPED
    assert posing == '<p title="[object Object]">[object Object]</p>'


def test_ordinary_pages_stay(project):
    full, empty = answers(project, "pages")
    assert full == FULL_PAGE
    assert empty == EMPTY_PAGE


def test_ordinary_index_stays(project):
    full, empty = answers(project, "index")
    assert full == INDEX.replace("LIST", INDEX_LIST)
    assert empty == INDEX.replace("LIST", "<p>Nothing yet.</p>")


def test_ordinary_feed_stays(project):
    full, empty = answers(project, "feed")
    assert full == FEED
    assert ElementTree.fromstring(empty).findall("channel/item") == []


def test_what_users_typed_is_text_on_a_page(project):
    (markup,) = answers(project, "nasty page")
    page = Parsed(markup)
    assert page.texts("title") == [f"{NASTY} - Village blog"]
    assert page.texts("h1") == [NASTY]
    assert page.texts("b") == [NASTY, NASTY, "&lt;"]
    assert page.texts("p") == [NASTY, NASTY, "Here too.", "x"]
    assert page.texts("footer") == [f"{NASTY} it's"]
    assert page.texts("h2") == ["Comments (3)"]
    encoded = "%3Cb%20title%3D%22x%22%20lang%3D'y'%3E%26amp%3B%3C%2Fb%3E%3C%2Fscript%3E"
    assert page.attributes("a") == [
        {"class": "tag", "href": f"/tags/{encoded}"},
        {"class": "tag", "href": "/tags/it's"},
        {"href": f"https://ann.example/{NASTY}", "rel": "nofollow"},
        {"href": "#", "rel": "nofollow"},
    ]
    assert page.names() == (
        "html head meta title body main article h1 p footer a a h2 ol li a b p li b p li a b p script"
    )


def test_what_users_typed_is_text_in_the_index(project):
    (markup,) = answers(project, "nasty index")
    page = Parsed(markup)
    assert page.texts("li") == [f"{NASTY}: {NASTY}", "A & B"]
    assert page.names() == "html head meta title body main ul li a li a"


def test_data_for_scripts_can_be_parsed(project):
    (markup,) = answers(project, "nasty data")
    page = Parsed(markup)
    assert page.attributes("script") == [{"type": "application/json", "id": "data"}]
    assert json.loads(page.texts("script")[0]) == {"id": 7, "title": NASTY, "tags": [NASTY, "<!--"]}


def test_descriptions_in_the_feed_are_the_markup_as_text(project):
    (feed,) = answers(project, "nasty feed")
    assert type(feed) is str, feed
    (item,) = ElementTree.fromstring(feed).findall("channel/item")
    assert [part.tag for part in item] == ["title", "link", "description"]
    assert item.findtext("title") == NASTY
    description = item.find("description")
    assert len(description) == 0
    article = Parsed(description.text)
    assert article.names() == "article h1 p footer a"
    assert [article.texts(name) for name in ("h1", "p", "a")] == [[NASTY]] * 3
