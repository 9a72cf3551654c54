# Wrong: guards against page 0 only, so a negative page counts from the end of the list.
def page_items(items, page, size):
    if page == 0:
        return []
    start = (page - 1) * size
    return items[start : start + size]
