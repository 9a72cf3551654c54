"""Quality gates: what a change must pass before a judge sees it. `running` puts them in order."""
