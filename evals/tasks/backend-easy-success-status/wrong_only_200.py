# Wrong: takes 200 alone for success, with the example's 204 added.
def is_success(status):
    return status in (200, 204)
