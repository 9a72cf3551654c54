def test_all_pages_exist(solution):
    assert solution.broken_links(["a.md", "b.md"], ["b.md", "a.md"]) == []


def test_missing_page(solution):
    assert solution.broken_links(["a.md", "b.md", "c.md"], ["b.md"]) == ["a.md", "c.md"]


def test_part_after_the_hash_is_ignored(solution):
    assert solution.broken_links(["a.md#top", "a.md#x#y"], ["a.md"]) == []


def test_broken_link_is_returned_whole(solution):
    assert solution.broken_links(["gone.md#part"], ["a.md"]) == ["gone.md#part"]


def test_web_links(solution):
    assert solution.broken_links(["http://x.org/a.md", "https://y.org#z"], []) == []


def test_links_within_the_page(solution):
    assert solution.broken_links(["#usage", "z.md"], ["a.md"]) == ["z.md"]


def test_page_whose_name_is_part_of_another(solution):
    assert solution.broken_links(["stall.md", "install"], ["install.md"]) == ["stall.md", "install"]


def test_no_links(solution):
    assert solution.broken_links([], ["a.md"]) == []
