"""Finding pages by words."""


def matches(page, words):
    """Whether every word occurs in the title or the text, in upper or lower case."""
    haystack = f"{page.title}\n{page.text}".lower()
    return all(word in haystack for word in words.lower().split())
