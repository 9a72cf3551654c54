def table_width(columns):
    return sum(columns)
