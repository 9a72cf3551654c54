# Wrong: the upper end of the range is one too high.
def is_success(status):
    return 200 <= status <= 300
