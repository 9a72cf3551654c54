# Wrong: adds a string to an int, which Python refuses.
def to_px(size):
    return size + "px"
