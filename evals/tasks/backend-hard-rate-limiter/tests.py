def test_allows_up_to_the_limit(solution):
    limiter = solution.RateLimiter(3, 60)
    assert [limiter.allow("ann", second) for second in (1, 2, 3, 4)] == [True, True, True, False]


def test_request_is_dropped_exactly_at_the_end_of_the_window(solution):
    limiter = solution.RateLimiter(1, 30)
    assert [limiter.allow("ann", second) for second in (100, 129, 130)] == [True, False, True]


def test_window_slides(solution):
    limiter = solution.RateLimiter(2, 10)
    assert [limiter.allow("ann", second) for second in (0, 9, 11, 12, 19)] == [True, True, True, False, True]


def test_refused_requests_do_not_count(solution):
    limiter = solution.RateLimiter(1, 10)
    assert [limiter.allow("ann", second) for second in (0, 3, 6, 9, 10)] == [True, False, False, False, True]


def test_clients_are_apart(solution):
    limiter = solution.RateLimiter(1, 10)
    assert limiter.allow("ann", 0) is True
    assert limiter.allow("bob", 1) is True
    assert limiter.allow("ann", 2) is False


def test_limiters_are_apart(solution):
    first, second = solution.RateLimiter(1, 10), solution.RateLimiter(1, 10)
    assert first.allow("ann", 0) is True
    assert second.allow("ann", 0) is True


def test_limit_of_zero_allows_nothing(solution):
    assert solution.RateLimiter(0, 10).allow("ann", 5) is False
