"""What is assumed where nothing is said."""

KEEP_DAILY = 7
KEEP_WEEKLY = 4
KEEP_MONTHLY = 12
ENDINGS = ("tar.gz", "tar.zst")
PATTERN = "*.tgz"
"""Several patterns, with bars between them."""
LOCK_TIMEOUT_SECONDS = 60
LOG_LEVELS = ("debug", "info", "warning")
