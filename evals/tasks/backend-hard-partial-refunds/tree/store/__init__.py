"""A mail-order shop. All that ever happened is in one log of events; everything else is computed from it."""
