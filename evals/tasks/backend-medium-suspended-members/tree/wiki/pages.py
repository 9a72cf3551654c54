"""Pages, their revisions and the files attached to them."""

from dataclasses import dataclass, field


@dataclass
class Revision:
    author: str
    text: str


@dataclass
class Attachment:
    uploader: str
    content: str


@dataclass
class Page:
    title: str
    space: str
    owner: str
    public: bool = False
    revisions: list = field(default_factory=list)
    attachments: dict = field(default_factory=dict)
    """File name to attachment."""

    @property
    def text(self):
        return self.revisions[-1].text

    def authors(self):
        """Everybody who wrote a revision, the first one first."""
        return list(dict.fromkeys(revision.author for revision in self.revisions))


class Pages:
    def __init__(self):
        self._pages = {}

    def add(self, title, space, owner, text, public=False):
        self._pages[title] = Page(title, space, owner, public, [Revision(owner, text)])

    def get(self, title):
        return self._pages.get(title)

    def all(self):
        return [page for _, page in sorted(self._pages.items())]
