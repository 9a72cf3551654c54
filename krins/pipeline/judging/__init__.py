"""A model judges a change: what it is shown, what it is asked, and what its answers come to."""
