# Wrong: returns the width of the widest column, and fails where there is none.
def table_width(columns):
    return max(columns)
