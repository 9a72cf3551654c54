def shorten(label, limit):
    if len(label) <= limit:
        return label
    if limit < 3:
        return label[:limit]
    return label[: limit - 3] + "..."
