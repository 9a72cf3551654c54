def month_tags(year, month, count):
    return [f"v{year}.{month}.{patch}" for patch in range(count)]
