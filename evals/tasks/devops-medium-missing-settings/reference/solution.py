def missing_settings(required, settings):
    missing = []
    for name in required:
        if settings.get(name, "") == "":
            missing.append(name)
    return missing
