"""What names mean across files, language by language.

A *module* is what an import names: a file, a folder, a package; each family of languages has its own strings for them
(`krins.context.resolving.family`). `Scopes` follows names through modules to the definitions that they stand for.

Invariants: what cannot be told from the tree alone is not resolved; what a file's names mean depends on its own facts,
on the set of paths, and on the interfaces of other files: names, kinds, nesting and bases of their definitions, and
their imports. Left out: what runs (names that code rebinds as it runs, or that a function's parameters hide).
"""
