"""Names of what a build makes."""

import hashlib

PLATFORMS = ("linux-amd64", "linux-arm64", "darwin-arm64")


def artifact_name(service, version_text, platform):
    if platform not in PLATFORMS:
        raise ValueError(f"no builds for {platform}")
    return f"{service}_{version_text}_{platform}.tar.zst"


def checksum_line(name, content):
    """As `sha256sum` prints it."""
    return f"{hashlib.sha256(content).hexdigest()}  {name}"
