def test_all_names_kept(solution):
    assert solution.join_classes(["card", "shadow", "rounded"]) == "card shadow rounded"


def test_empty_names_left_out(solution):
    assert solution.join_classes(["", "card", "", "", "open"]) == "card open"


def test_none_left_out(solution):
    assert solution.join_classes(["card", None, "open", None]) == "card open"


def test_single_name(solution):
    assert solution.join_classes(["menu"]) == "menu"


def test_order_is_kept(solution):
    assert solution.join_classes(["z", "a", "m"]) == "z a m"


def test_nothing_left(solution):
    assert solution.join_classes([None, ""]) == ""


def test_empty_list(solution):
    assert solution.join_classes([]) == ""
