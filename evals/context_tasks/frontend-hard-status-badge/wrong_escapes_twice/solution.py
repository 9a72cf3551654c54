from html import escape

from widgets.html import element
from widgets.numbers import compact
from widgets.theme import status_style


def status_badge(status, count):
    style = status_style(status)
    text = f"{style.label} ({compact(count)})" if count > 1 else style.label
    return element("span", {"class": "badge", "style": f"color: {style.colour}"}, escape(text))
