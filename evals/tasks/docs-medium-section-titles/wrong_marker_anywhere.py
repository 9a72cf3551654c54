# Wrong: finds the marker anywhere in a line, also within the marker of a lower heading.
def section_titles(text):
    return [line.split("## ", 1)[1] for line in text.splitlines() if "## " in line]
