def section_titles(text):
    titles = []
    for line in text.splitlines():
        if line.startswith("## "):
            titles.append(line[3:])
    return titles
