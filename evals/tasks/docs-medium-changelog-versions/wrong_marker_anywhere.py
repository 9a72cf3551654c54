# Wrong: takes lines that contain the marker anywhere, lower headings among them.
def released_versions(text):
    found = [line.split("## ")[1].split()[0] for line in text.splitlines() if "## " in line]
    return [version for version in found if version != "Unreleased"]
