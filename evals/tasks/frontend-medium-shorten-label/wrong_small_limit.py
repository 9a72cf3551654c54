# Wrong: forgets limits below 3, where the cut then counts from the end of the label.
def shorten(label, limit):
    return label if len(label) <= limit else label[: limit - 3] + "..."
