DAY = "2024-05-01"


def notebook(project, *notes, trashed=()):
    repository = project.module("notes.repository").NoteRepository(project.module("notes.schema").open_notebook())
    ids = [repository.add(title, body) for title, body in notes]
    for place in trashed:
        repository.trash(ids[place], DAY)
    return repository, ids


def titles(notes):
    return [note["title"] for note in notes]


def test_a_match_in_the_body_is_left_out_if_it_is_in_the_trash(project):
    repository, _ = notebook(project, ("One", "blue tile"), ("Two", "blue stone"), trashed=[1])
    assert titles(repository.search("blue")) == ["One"]


def test_a_match_in_the_title_is_left_out_if_it_is_in_the_trash(project):
    repository, _ = notebook(project, ("Blue tile", ""), ("Blue stone", "blue"), trashed=[0])
    assert titles(repository.search("blue")) == ["Blue stone"]


def test_the_trash_takes_no_place_within_the_limit(project):
    notes = [(f"Plan {number}", "") for number in range(6)]
    repository, _ = notebook(project, *notes, trashed=[5, 3])
    assert titles(repository.search("plan", 2)) == ["Plan 4", "Plan 2"]


def test_the_total_leaves_out_the_trash(project):
    notes = [("Plan", ""), ("Other", "a plan"), ("Plan B", "plan"), ("Old", "plan"), ("No match", "")]
    repository, _ = notebook(project, *notes, trashed=[2, 3])
    assert repository.count_matches("plan") == 2
    status, body = project.module("notes.handlers").get_search(repository, {"q": "plan", "limit": "1"})
    assert status == 200
    assert body == {"total": 2, "notes": [{"id": 2, "title": "Other", "excerpt": "a plan"}]}


def test_restored_notes_are_found_again(project):
    repository, ids = notebook(project, ("Garden", "roses"), ("Balcony", "more roses"), trashed=[0, 1])
    assert repository.search("roses") == []
    assert repository.count_matches("roses") == 0
    repository.restore(ids[0])
    assert titles(repository.search("roses")) == ["Garden"]
    assert repository.count_matches("roses") == 1


def test_notes_in_the_trash_can_still_be_looked_at(project):
    repository, ids = notebook(project, ("Garden", "roses"), trashed=[0])
    assert project.module("notes.handlers").get_note(repository, ids[0]) == (
        200,
        {"id": ids[0], "title": "Garden", "body": "roses", "pinned": False, "trashed_on": DAY},
    )
    assert titles(repository.list_trash()) == ["Garden"]


def test_titles_of_the_request_are_no_special_case(project):
    repository, ids = notebook(project, ("Old list", "milk"), ("Shopping", "milk"))
    assert titles(repository.search("milk")) == ["Shopping", "Old list"]
    repository.trash(ids[1], DAY)
    assert titles(repository.search("milk")) == ["Old list"]


def test_signs_of_patterns_are_still_plain_text(project):
    repository, _ = notebook(project, ("50% off", ""), ("50 cups", ""), ("a_b", ""), ("aXb", ""))
    assert titles(repository.search("50%")) == ["50% off"]
    assert repository.count_matches("a_b") == 1
