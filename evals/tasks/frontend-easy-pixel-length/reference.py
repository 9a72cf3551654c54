def to_px(size):
    return f"{size}px"
