"""Pieces of Markdown."""


def escape(text):
    """Text whose brackets are just brackets."""
    return text.replace("[", "\\[").replace("]", "\\]")


def link(text, target):
    return f"[{escape(text)}]({target})"


def heading(text, level):
    return f"{'#' * level} {text}"


def code(text, language=""):
    return f"```{language}\n{text}\n```"
