def missing_settings(required, settings):
    return sorted(set(required) - {name for name, value in settings.items() if value})
