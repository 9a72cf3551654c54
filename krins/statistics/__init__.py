"""Pure numbers: intervals over clustered tasks, and the cost-quality hull."""
