from __future__ import annotations

import pytest

from krins.context.naming import is_test


@pytest.mark.parametrize(
    "path",
    [
        "tests/support.py",
        "pkg/test/data.py",
        "test_app.py",
        "shop/tests.py",
        "src/app_test.go",
        "src/app.test.ts",
        "src/app.spec.js",
        "src/__tests__/app.js",
        "conftest.py",
        "src/AppTest.java",
        "src/AppTests.cs",
        "spec/models/user.rb",
        "app/user_spec.rb",
    ],
)
def test_tests_are_told_by_their_names(path: str) -> None:
    assert is_test(path)


@pytest.mark.parametrize(
    "path", ["src/app.py", "contest.py", "src/latest.py", "attest/a.py", "src/Contest.java", "testify.go"]
)
def test_others_are_not(path: str) -> None:
    assert not is_test(path)
