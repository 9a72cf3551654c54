"""Git tags of releases, such as `rel/24-07.p003`: year, month, and the number of the patch."""

import re
from typing import NamedTuple


class BadTag(ValueError):
    """A tag is not that of a release."""


class Version(NamedTuple):
    """Newer versions are greater."""

    year: int
    month: int
    patch: int


FIRST = Version(23, 1, 0)
_PATTERN = re.compile(r"rel/(\d\d)-(0[1-9]|1[0-2])\.p(\d{3,})")


def parse_tag(tag):
    """
    Raises:
        BadTag: it is not that of a release.
    """
    match = _PATTERN.fullmatch(tag)
    if match is None:
        raise BadTag(tag)
    return Version(*map(int, match.groups()))


def format_tag(version):
    return f"rel/{version.year:02d}-{version.month:02d}.p{version.patch:03d}"
