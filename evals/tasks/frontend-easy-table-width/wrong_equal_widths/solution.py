def table_width(columns):
    return columns[0] * len(columns) if columns else 0
