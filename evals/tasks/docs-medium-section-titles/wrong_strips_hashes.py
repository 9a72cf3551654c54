# Wrong: takes headings of every level and strips hash signs from both ends of the title.
def section_titles(text):
    return [line.strip("# ") for line in text.splitlines() if line.startswith("##")]
