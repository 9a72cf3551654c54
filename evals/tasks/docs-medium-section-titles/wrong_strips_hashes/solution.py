def section_titles(text):
    return [line.strip("# ") for line in text.splitlines() if line.startswith("##")]
