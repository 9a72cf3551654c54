def test_short_label(solution):
    assert solution.shorten("Save", 10) == "Save"


def test_label_that_just_fits(solution):
    assert solution.shorten("Cancel", 6) == "Cancel"


def test_one_character_too_long(solution):
    assert solution.shorten("Cancel!", 6) == "Can..."


def test_long_label(solution):
    assert solution.shorten("Send the whole report now", 12) == "Send the ..."


def test_room_for_the_dots_only(solution):
    assert solution.shorten("Settings", 3) == "..."


def test_no_room_for_the_dots(solution):
    assert solution.shorten("Settings", 2) == "Se"


def test_limit_of_zero(solution):
    assert solution.shorten("Settings", 0) == ""


def test_empty_label(solution):
    assert solution.shorten("", 5) == ""
