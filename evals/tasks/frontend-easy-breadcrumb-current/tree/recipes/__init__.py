"""Pages of a cookery site."""
