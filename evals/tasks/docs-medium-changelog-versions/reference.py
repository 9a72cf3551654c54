def released_versions(text):
    versions = []
    for line in text.splitlines():
        if line.startswith("## "):
            version = line.split()[1]
            if version != "Unreleased":
                versions.append(version)
    return versions
