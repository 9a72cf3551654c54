"""The way of one task: a model proposes, hidden tests judge. The coordinator is the live environment."""
