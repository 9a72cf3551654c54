"""Accounts of the members of a sports club: their profiles and who changed what in them."""
