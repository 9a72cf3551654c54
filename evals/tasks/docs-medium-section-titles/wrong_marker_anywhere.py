# Wrong: finds the marker anywhere in a line, also within the marker of a lower heading.
def section_titles(lines):
    return [line.split("## ", 1)[1] for line in lines if "## " in line]
