"""What can go wrong with a table."""


class NoSuchColumn(LookupError):
    def __init__(self, name, names):
        super().__init__(name, names)
        self.name, self.names = name, names

    def __str__(self):
        return f"no column {self.name!r}; there are {', '.join(self.names)}"
