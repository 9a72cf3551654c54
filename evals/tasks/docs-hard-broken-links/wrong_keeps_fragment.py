# Wrong: looks for the whole link, with what follows the hash sign, among the pages.
def broken_links(links, pages):
    return [link for link in links if not link.startswith(("http", "#")) and link not in pages]
