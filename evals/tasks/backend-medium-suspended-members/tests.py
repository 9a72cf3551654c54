REFUSED = (403, "not allowed")


class Lab:
    """A site with a space that has an admin, an editor, a reader and a member without a role."""

    def __init__(self, project):
        self.site = project.module("wiki.site").Site()
        self.members, self.pages = self.site.members, self.site.pages
        self._digest = project.module("wiki.digest")
        for name, role in (("ann", "admin"), ("eve", "editor"), ("rod", "reader"), ("zoe", None)):
            self.members.add(name, f"{name}@lab.example")
            if role:
                self.members.grant(name, "lab", role)
        self.pages.add("Budget", "lab", "ann", "numbers for us")
        self.pages.add("Press", "lab", "ann", "numbers for all", True)
        self.pages.add("Draft", "lab", "zoe", "numbers of mine")
        assert self.site.attach("eve", "Budget", "sums.csv", "1;2")[0] == 201
        assert self.site.attach("ann", "Press", "logo.svg", "<svg/>")[0] == 201

    def text(self, title):
        return self.site.view("ann", title)[1]

    def recipients(self):
        return self._digest.recipients(self.members, "lab")


def test_no_role_gives_sight_of_private_pages(project):
    lab = Lab(project)
    for name in ("ann", "eve", "rod"):
        assert lab.site.view(name, "Budget")[0] == lab.site.history(name, "Budget")[0] == 200
        lab.members.suspend(name)
        assert lab.site.view(name, "Budget") == REFUSED
        assert lab.site.history(name, "Budget") == REFUSED


def test_owners_neither_read_nor_edit_their_pages(project):
    lab = Lab(project)
    assert lab.site.view("zoe", "Draft") == (200, "numbers of mine")
    lab.members.suspend("zoe")
    assert lab.site.view("zoe", "Draft") == REFUSED
    assert lab.site.save("zoe", "Draft", "lab", "changed") == REFUSED
    assert lab.site.attach("zoe", "Draft", "a.txt", "a") == REFUSED
    lab.members.suspend("ann")
    assert lab.site.save("ann", "Press", "lab", "changed") == REFUSED
    assert lab.site.view(None, "Press") == (200, "numbers for all")


def test_editors_write_nothing(project):
    lab = Lab(project)
    lab.members.suspend("eve")
    assert lab.site.save("eve", "Budget", "lab", "changed") == REFUSED
    assert lab.site.save("eve", "New", "lab", "new") == REFUSED
    assert lab.site.attach("eve", "Budget", "more.csv", "3") == REFUSED
    assert lab.text("Budget") == "numbers for us"
    assert lab.site.view("ann", "New")[0] == 404
    assert lab.site.download("ann", "Budget", "more.csv")[0] == 404


def test_admins_give_no_roles(project):
    lab = Lab(project)
    lab.members.suspend("ann")
    assert lab.site.grant("ann", "zoe", "lab", "reader") == REFUSED
    assert lab.site.view("zoe", "Budget") == REFUSED


def test_public_pages_and_their_files_can_still_be_read(project):
    lab = Lab(project)
    for name in ("ann", "eve", "rod", "zoe"):
        lab.members.suspend(name)
        assert lab.site.view(name, "Press") == (200, "numbers for all")
        assert lab.site.history(name, "Press") == (200, ["ann"])
        assert lab.site.download(name, "Press", "logo.svg") == (200, "<svg/>")


def test_uploaders_do_not_get_at_their_files(project):
    lab = Lab(project)
    lab.members.suspend("eve")
    assert lab.site.download("eve", "Budget", "sums.csv") == REFUSED
    assert lab.site.download("rod", "Budget", "sums.csv") == (200, "1;2")


def test_search_finds_public_pages_alone(project):
    lab = Lab(project)
    assert lab.site.search("rod", "numbers") == (200, ["Budget", "Draft", "Press"])
    for name in ("ann", "rod"):
        lab.members.suspend(name)
        assert lab.site.search(name, "numbers") == (200, ["Press"])


def test_tokens_are_unknown_meanwhile(project):
    lab = Lab(project)
    lab.site.tokens.register("rod", "first")
    lab.members.suspend("rod")
    lab.site.tokens.register("rod", "second")
    for secret in ("first", "second"):
        assert lab.site.api(secret, "view", "Press") == (401, "unknown token")
        assert lab.site.api(secret, "search", "numbers") == (401, "unknown token")
        assert lab.site.api(secret, "nonsense") == (401, "unknown token")
    lab.members.resume("rod")
    for secret in ("first", "second"):
        assert lab.site.api(secret, "view", "Budget") == (200, "numbers for us")


def test_no_digest(project):
    lab = Lab(project)
    lab.members.suspend("eve")
    assert lab.recipients() == ["ann@lab.example", "rod@lab.example"]
    lab.members.resume("eve")
    assert lab.recipients() == ["ann@lab.example", "eve@lab.example", "rod@lab.example"]


def test_no_digest_for_those_who_did_not_want_it_before(project):
    lab = Lab(project)
    lab.members.get("rod").wants_digest = False
    lab.members.suspend("rod")
    lab.members.resume("rod")
    assert lab.recipients() == ["ann@lab.example", "eve@lab.example"]


def test_all_is_as_before_after_resuming(project):
    lab = Lab(project)
    for name in ("ann", "eve", "zoe"):
        lab.members.suspend(name)
    for name in ("ann", "eve", "zoe"):
        lab.members.resume(name)
    assert lab.site.view("zoe", "Draft") == (200, "numbers of mine")
    assert lab.site.download("eve", "Budget", "sums.csv") == (200, "1;2")
    assert lab.site.save("eve", "Budget", "lab", "more numbers") == (200, "Budget")
    assert lab.site.grant("ann", "zoe", "lab", "reader") == (200, "reader")
    assert lab.site.history("zoe", "Budget") == (200, ["ann", "eve"])


def test_roles_can_be_given_during_a_suspension(project):
    lab = Lab(project)
    lab.members.suspend("rod")
    assert lab.site.grant("ann", "rod", "lab", "editor") == (200, "editor")
    assert lab.site.save("rod", "Budget", "lab", "changed") == REFUSED
    assert lab.site.view("rod", "Budget") == REFUSED
    lab.members.resume("rod")
    assert lab.site.save("rod", "Budget", "lab", "changed") == (200, "Budget")


def test_authors_keep_their_names(project):
    lab = Lab(project)
    assert lab.site.save("eve", "Budget", "lab", "more numbers")[0] == 200
    lab.members.suspend("eve")
    assert lab.site.history("rod", "Budget") == (200, ["ann", "eve"])


def test_other_members_notice_nothing(project):
    lab = Lab(project)
    lab.members.suspend("ann")
    assert lab.site.view("rod", "Budget") == (200, "numbers for us")
    assert lab.site.save("eve", "Press", "lab", "news") == (200, "Press")
    assert lab.site.search("zoe", "numbers") == (200, [])
    assert lab.site.view(None, "Budget") == (401, "sign in")
