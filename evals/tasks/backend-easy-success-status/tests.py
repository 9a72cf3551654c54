def test_ok(solution):
    assert solution.is_success(200) is True


def test_created(solution):
    assert solution.is_success(201) is True


def test_last_code_of_the_range(solution):
    assert solution.is_success(299) is True


def test_first_code_above_the_range(solution):
    assert solution.is_success(300) is False


def test_last_code_below_the_range(solution):
    assert solution.is_success(199) is False


def test_client_and_server_errors(solution):
    assert [solution.is_success(status) for status in (400, 403, 500, 503)] == [False] * 4
