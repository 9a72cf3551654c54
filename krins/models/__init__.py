"""Who answers a prompt: one file a kind of provider."""
