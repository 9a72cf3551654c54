"""Change logs from commit messages."""

SECTIONS = {"feat": "New", "fix": "Mended", "perf": "Faster"}


def entry(message):
    """Section and text of a message such as `fix(api): close the door`; None for what users do not notice."""
    head, separator, text = message.partition(": ")
    kind = head.partition("(")[0].rstrip("!")
    if not separator or kind not in SECTIONS:
        return None
    return SECTIONS[kind], text[:1].upper() + text[1:]


def changelog(messages):
    entries = [found for found in map(entry, messages) if found]
    lines = []
    for section in SECTIONS.values():
        texts = [text for name, text in entries if name == section]
        if texts:
            lines += [f"## {section}", *(f"- {text}" for text in texts)]
    return "\n".join(lines)
