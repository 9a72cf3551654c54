"""Running suites: plan, streams, Ray actors, journal, history and tracking."""
