def section_titles(lines):
    titles = []
    for line in lines:
        if line.startswith("## "):
            titles.append(line[3:])
    return titles
