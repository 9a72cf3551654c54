# Wrong: does not count the dots, so the result is three characters too long.
def shorten(label, limit):
    if len(label) <= limit:
        return label
    if limit < 3:
        return label[:limit]
    return label[:limit] + "..."
