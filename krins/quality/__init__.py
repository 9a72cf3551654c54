"""The room where answers are checked: sandboxes for untrusted code, and hidden tests that it cannot fake."""
