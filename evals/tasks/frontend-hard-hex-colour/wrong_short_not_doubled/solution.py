def hex_to_rgb(colour):
    digits = colour.lstrip("#")
    if len(digits) == 3:
        digits = digits * 2
    return tuple(int(digits[start : start + 2], 16) for start in (0, 2, 4))
