from releases.tags import Version, parse_tag


def test_no_release(solution):
    assert solution.month_tags(24, 7, 0) == []


def test_the_first_release(solution):
    assert solution.month_tags(24, 11, 1) == ["rel/24-11.p000"]


def test_several_releases_in_order(solution):
    assert solution.month_tags(9, 3, 3) == ["rel/09-03.p000", "rel/09-03.p001", "rel/09-03.p002"]


def test_many_releases(solution):
    tags = solution.month_tags(25, 12, 1002)
    assert tags[-3:] == ["rel/25-12.p999", "rel/25-12.p1000", "rel/25-12.p1001"]


def test_the_package_reads_them(solution):
    tags = solution.month_tags(23, 1, 12)
    assert [parse_tag(tag) for tag in tags] == [Version(23, 1, patch) for patch in range(12)]
