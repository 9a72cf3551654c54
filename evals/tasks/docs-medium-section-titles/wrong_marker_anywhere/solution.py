def section_titles(text):
    return [line.split("## ", 1)[1] for line in text.splitlines() if "## " in line]
