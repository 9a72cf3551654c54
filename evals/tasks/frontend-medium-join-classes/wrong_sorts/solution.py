def join_classes(names):
    return " ".join(sorted({name for name in names if name}))
