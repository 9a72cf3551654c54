"""A wiki with spaces: members have a role in each space, and some pages are public."""
