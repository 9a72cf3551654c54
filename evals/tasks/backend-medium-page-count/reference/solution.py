def page_count(items, per_page):
    return max(1, (items + per_page - 1) // per_page)
