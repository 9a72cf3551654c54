"""Who may call what, how often and for how much; what is written down of it; and how Ray itself is locked."""
