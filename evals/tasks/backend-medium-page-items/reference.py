def page_items(items, page, size):
    if page < 1:
        return []
    start = (page - 1) * size
    return items[start : start + size]
