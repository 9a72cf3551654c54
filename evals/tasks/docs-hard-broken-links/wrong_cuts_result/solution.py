def broken_links(links, pages):
    targets = [link.split("#")[0] for link in links if not link.startswith("http")]
    return [target for target in targets if target not in pages]
