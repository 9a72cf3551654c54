# Wrong: takes lower headings too, and strips hash signs from both ends of the title.
def section_titles(lines):
    return [line.strip("# ") for line in lines if line.startswith("##")]
