"""Code context: what of a source tree a model is shown, at what cost in tokens, and what a change can break.

Left out: everything that calls a model, and running tests.
"""
