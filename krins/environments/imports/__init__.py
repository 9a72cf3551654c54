"""What other tools recorded, as outcome tables: one file a source, and `common` for what a table must be.

Invariants: null is unknown, nothing is imputed; what is left out is counted with its reason; the same input makes the
same bytes. Left out: asking anybody; an import reads files that are there.
"""
