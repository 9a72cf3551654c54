"""What is assumed where nothing is said."""

KEEP_DAILY = 14
KEEP_WEEKLY = 4
KEEP_MONTHLY = 12
ENDINGS = ("tar.gz", "tar.zst")
PATTERN = "|".join(f"*.{ending}" for ending in ENDINGS)
"""Several patterns, with bars between them."""
LOCK_TIMEOUT_SECONDS = 2 * 60
LOG_LEVELS = ("debug", "info", "warning")
