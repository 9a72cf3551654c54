"""What is said in the chat when a release goes out."""

TEMPLATES = {
    "start": "{service} {version} goes to {environment}",
    "done": "{service} {version} is in {environment}",
    "back": "{service} {version} was taken back from {environment}: {reason}",
}


def announce(kind, **values):
    return TEMPLATES[kind].format(**values)


def mention(names):
    return " ".join(f"@{name}" for name in sorted(names))
