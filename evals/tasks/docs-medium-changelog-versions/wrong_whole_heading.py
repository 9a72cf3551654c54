# Wrong: returns all that follows the marker, dates included.
def released_versions(text):
    headings = [line[3:].strip() for line in text.splitlines() if line.startswith("## ")]
    return [heading for heading in headings if heading != "Unreleased"]
