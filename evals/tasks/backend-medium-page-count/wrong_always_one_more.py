# Wrong: adds a page even where the entries fill their pages exactly.
def page_count(items, per_page):
    return items // per_page + 1
