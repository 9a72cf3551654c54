def table_width(columns):
    return max(columns)
