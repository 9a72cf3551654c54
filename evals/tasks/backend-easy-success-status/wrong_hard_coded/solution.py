def is_success(status):
    return {204: True, 404: False}.get(status)
