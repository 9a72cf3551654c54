def broken_links(links, pages):
    return [link for link in links if not link.startswith(("http", "#")) and link not in pages]
