def test_full_batches(solution):
    assert solution.rollout_batches(["s1", "s2", "s3", "s4", "s5"], 2) == [["s1"], ["s2", "s3"], ["s4", "s5"]]


def test_smaller_last_batch(solution):
    assert solution.rollout_batches(["a", "b", "c", "d", "e", "f"], 3) == [["a"], ["b", "c", "d"], ["e", "f"]]


def test_one_server(solution):
    assert solution.rollout_batches(["web"], 4) == [["web"]]


def test_two_servers(solution):
    assert solution.rollout_batches(["web", "api"], 4) == [["web"], ["api"]]


def test_no_servers(solution):
    assert solution.rollout_batches([], 2) == []


def test_batches_of_one(solution):
    assert solution.rollout_batches(["a", "b", "c"], 1) == [["a"], ["b"], ["c"]]


def test_order_is_kept(solution):
    assert solution.rollout_batches(["z", "m", "a", "k"], 9) == [["z"], ["m", "a", "k"]]
