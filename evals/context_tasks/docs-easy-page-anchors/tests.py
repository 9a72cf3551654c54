def test_nothing(solution):
    assert solution.page_anchors([]) == []


def test_one_title(solution):
    assert solution.page_anchors(["Getting Started"]) == ["s-getting_started"]


def test_in_order(solution):
    assert solution.page_anchors(["Zebra", "Apple pie"]) == ["s-zebra", "s-apple_pie"]


def test_punctuation_is_no_part_of_an_anchor(solution):
    assert solution.page_anchors(["What's new, in 2.0?"]) == ["s-what_s_new_in_2_0"]


def test_repeated_titles(solution):
    anchors = ["s-notes", "s-notes_b", "s-notes_c", "s-note"]
    assert solution.page_anchors(["Notes", "Notes", "notes!", "Note"]) == anchors


def test_pages_are_apart(solution):
    assert solution.page_anchors(["A"]) == solution.page_anchors(["A"]) == ["s-a"]
