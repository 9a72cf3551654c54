"""Settings, from the environment."""


def read_settings(environment):
    """The settings of a process; KeyError for one that is missing."""
    return {
        "database": environment["DATABASE_URL"],
        "cache": environment["CACHE_URL"],
        "queues": [queue for queue in environment.get("QUEUES", "").split(",") if queue],
    }
