from releases.tags import Version, format_tag


def month_tags(year, month, count):
    return [format_tag(Version(year, month, patch)) for patch in range(count)]
