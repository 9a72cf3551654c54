def is_success(status):
    return status in (200, 204)
