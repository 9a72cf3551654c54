"""A notebook: notes in one SQLite file, with a trash that is emptied after a while."""
