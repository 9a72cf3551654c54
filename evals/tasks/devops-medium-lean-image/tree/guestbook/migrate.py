"""Which migrations are still to be applied."""


def pending(folder, done):
    return [path for path in sorted(folder.glob("*.sql")) if path.name not in done]
