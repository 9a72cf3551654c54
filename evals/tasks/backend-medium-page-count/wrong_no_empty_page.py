# Wrong: with no entries it returns 0 instead of one empty page.
def page_count(items, per_page):
    return -(-items // per_page)
