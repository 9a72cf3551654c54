def missing_settings(required, settings):
    return [name for name in required if name not in settings]
