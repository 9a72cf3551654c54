# Wrong: repeats the three digits as a block (f80f80) instead of doubling each (ff8800).
def hex_to_rgb(colour):
    digits = colour.lstrip("#")
    if len(digits) == 3:
        digits = digits * 2
    return tuple(int(digits[start : start + 2], 16) for start in (0, 2, 4))
