from html import escape

COLOURS = {"ok": "green", "degraded": "orange", "down": "red"}


def status_badge(status, count):
    text = status.capitalize() + (f" ({count:,})" if count > 1 else "")
    return f'<span class="badge" style="color: {COLOURS.get(status.lower(), "grey")}">{escape(text)}</span>'
