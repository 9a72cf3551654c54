"""Stock of a spare parts depot, in one SQLite file."""
