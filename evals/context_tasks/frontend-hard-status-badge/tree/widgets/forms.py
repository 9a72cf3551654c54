"""Inputs of forms."""

from widgets.html import element


def text_input(name, value="", is_required=False):
    attributes = {"name": name, "type": "text", "value": value}
    return element("input", attributes | ({"required": "required"} if is_required else {}))


def select(name, options, chosen=None):
    inner = "".join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{label}</option>' for value, label in options
    )
    return f'<select name="{name}">{inner}</select>'
