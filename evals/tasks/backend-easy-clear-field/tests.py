WHOLE = {
    "name": "Ben Holt",
    "email": "ben@holt.example",
    "phone": "0301234567",
    "birthday": "1985-12-24",
    "nickname": "Benny",
}


class Club:
    """A store with one member, whose profile is full, and the requests about it."""

    def __init__(self, project, fields=WHOLE):
        self.store = project.module("accounts.store").ProfileStore()
        self.store.add(3, **fields)
        self._profile = project.module("accounts.profile")

    def patch(self, body):
        return self._profile.patch_profile(self.store, 3, body)

    def profile(self):
        status, profile = self._profile.get_profile(self.store, 3)
        assert status == 200
        return profile


def test_null_clears_each_field_that_may_be_empty(project):
    for field in ("phone", "birthday", "nickname"):
        club = Club(project)
        assert club.patch({field: None}) == (200, {**WHOLE, field: None})
        assert club.profile() == {**WHOLE, field: None}


def test_absent_fields_stay(project):
    club = Club(project)
    assert club.patch({}) == (200, WHOLE)
    assert club.patch({"nickname": "Ben"}) == (200, {**WHOLE, "nickname": "Ben"})
    assert club.profile() == {**WHOLE, "nickname": "Ben"}


def test_null_and_values_go_together(project):
    club = Club(project)
    status, profile = club.patch({"phone": None, "name": " Ben H. ", "birthday": None})
    assert (status, profile) == (200, {**WHOLE, "phone": None, "name": "Ben H.", "birthday": None})


def test_clearing_is_logged(project):
    club = Club(project)
    club.patch({"phone": None})
    assert club.store.changes(3) == [{"member": 3, "field": "phone", "before": "0301234567", "after": None}]


def test_clearing_what_is_clear_is_no_change(project):
    club = Club(project, {**WHOLE, "phone": None})
    assert club.patch({"phone": None}) == (200, {**WHOLE, "phone": None})
    assert club.store.changes(3) == []


def test_what_every_profile_has_cannot_be_cleared(project):
    for field in ("name", "email"):
        club = Club(project)
        assert club.patch({field: None}) == (422, {"problems": {field: "must not be blank"}})
        assert club.profile() == WHOLE


def test_a_problem_keeps_the_rest_from_being_cleared(project):
    club = Club(project)
    status, body = club.patch({"phone": None, "email": None, "birthday": "tomorrow"})
    assert status == 422
    assert body == {"problems": {"email": "must not be blank", "birthday": "is no date"}}
    assert club.profile() == WHOLE
    assert club.store.changes(3) == []


def test_empty_texts_are_still_a_problem(project):
    club = Club(project)
    for field in WHOLE:
        assert club.patch({field: ""}) == (422, {"problems": {field: "must not be blank"}})
    assert club.patch({"phone": "  "}) == (422, {"problems": {"phone": "must not be blank"}})
    assert club.profile() == WHOLE


def test_other_values_are_still_checked(project):
    club = Club(project)
    for value in (0, False, []):
        assert club.patch({"phone": value}) == (422, {"problems": {"phone": "must be a text"}})
    assert club.patch({"shoe_size": None}) == (422, {"problems": {"shoe_size": "unknown field"}})
    assert club.patch({"phone": "030 / 76-54"}) == (200, {**WHOLE, "phone": "0307654"})


def test_unknown_members_are_not_found(project):
    profile = project.module("accounts.profile")
    store = project.module("accounts.store").ProfileStore()
    assert profile.patch_profile(store, 9, {"phone": None}) == (404, {"error": "no such member"})
