"""Studies: questions that are asked of runs. They read runs, and write none."""
