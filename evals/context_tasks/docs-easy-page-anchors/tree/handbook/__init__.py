"""Pages of the handbook, from Markdown to what readers see."""
