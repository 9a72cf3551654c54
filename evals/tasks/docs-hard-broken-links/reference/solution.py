def broken_links(links, pages):
    broken = []
    for link in links:
        if link.startswith(("http", "#")):
            continue
        if link.split("#")[0] not in pages:
            broken.append(link)
    return broken
