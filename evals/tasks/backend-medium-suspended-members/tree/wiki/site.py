"""Requests, as methods that return a status and a body.

`who` is the name of a member who has signed in, or None. Requests of scripts come through `api`.
"""

from wiki import policy
from wiki.members import Members
from wiki.pages import Attachment, Pages, Revision
from wiki.search import matches
from wiki.tokens import Tokens

NOT_FOUND = 404, "not found"


class Site:
    def __init__(self):
        self.members = Members()
        self.pages = Pages()
        self.tokens = Tokens(self.members)

    def view(self, who, title):
        visitor, page = self.members.get(who), self.pages.get(title)
        if page is None:
            return NOT_FOUND
        return (200, page.text) if policy.may_read(visitor, page) else _refused(visitor)

    def history(self, who, title):
        visitor, page = self.members.get(who), self.pages.get(title)
        if page is None:
            return NOT_FOUND
        return (200, page.authors()) if policy.may_read(visitor, page) else _refused(visitor)

    def save(self, who, title, space, text):
        """Write a new page, or a new revision of an old one, whose space stays."""
        visitor, page = self.members.get(who), self.pages.get(title)
        if page is None:
            if not policy.may_create(visitor, space):
                return _refused(visitor)
            self.pages.add(title, space, visitor.name, text)
            return 201, title
        if not policy.may_edit(visitor, page):
            return _refused(visitor)
        page.revisions.append(Revision(visitor.name, text))
        return 200, title

    def attach(self, who, title, filename, content):
        visitor, page = self.members.get(who), self.pages.get(title)
        if page is None:
            return NOT_FOUND
        if not policy.may_edit(visitor, page):
            return _refused(visitor)
        page.attachments[filename] = Attachment(visitor.name, content)
        return 201, filename

    def download(self, who, title, filename):
        """Whoever may read the page, and the uploader, even after losing the role in its space."""
        visitor, page = self.members.get(who), self.pages.get(title)
        if page is None or filename not in page.attachments:
            return NOT_FOUND
        attachment = page.attachments[filename]
        if visitor is not None and attachment.uploader == visitor.name:
            return 200, attachment.content
        return (200, attachment.content) if policy.may_read(visitor, page) else _refused(visitor)

    def search(self, who, words):
        visitor = self.members.get(who)
        spaces = set() if visitor is None else set(visitor.roles)
        found = [page for page in self.pages.all() if matches(page, words)]
        return 200, [page.title for page in found if page.public or page.space in spaces]

    def grant(self, who, name, space, role):
        visitor = self.members.get(who)
        if not policy.may_manage(visitor, space):
            return _refused(visitor)
        if self.members.get(name) is None:
            return NOT_FOUND
        self.members.grant(name, space, role)
        return 200, role

    def api(self, secret, request, *arguments):
        """The request of that name, made with a token."""
        member = self.tokens.member_of(secret)
        if member is None:
            return 401, "unknown token"
        if request not in ("view", "save", "search"):
            return NOT_FOUND
        return getattr(self, request)(member.name, *arguments)


def _refused(visitor):
    return (401, "sign in") if visitor is None else (403, "not allowed")
