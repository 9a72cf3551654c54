def join_classes(names):
    return " ".join(name for name in names if name)
