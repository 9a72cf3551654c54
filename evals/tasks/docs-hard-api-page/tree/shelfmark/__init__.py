"""What a small library needs."""
