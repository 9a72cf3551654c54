# Wrong: numbers the pages from 0.
def page_items(items, page, size):
    if page < 1:
        return []
    return items[page * size : (page + 1) * size]
