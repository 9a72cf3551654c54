"""Reports: numbers come in, text and pictures go out. Nothing here computes a result or changes one."""
