def hex_to_rgb(colour):
    return tuple(int(colour[start : start + 2], 16) for start in (1, 3, 5))
