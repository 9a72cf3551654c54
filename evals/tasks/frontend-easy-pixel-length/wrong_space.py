# Wrong: puts a space between number and unit.
def to_px(size):
    return f"{size} px"
