"""Terms and what they mean."""


class Glossary:
    def __init__(self, terms):
        self._terms = {term.lower(): meaning for term, meaning in terms.items()}

    def explain(self, term):
        return self._terms.get(term.lower(), f"{term}: not explained yet")

    def unexplained(self, terms):
        return sorted({term for term in terms if term.lower() not in self._terms})
