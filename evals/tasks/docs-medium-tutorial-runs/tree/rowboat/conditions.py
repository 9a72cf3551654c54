"""Conditions for `Table.where`: each is a function of one value."""


def above(least):
    return lambda value: value > least


def at_least(least):
    return lambda value: value >= least


def at_most(most):
    return lambda value: value <= most


def below(most):
    return lambda value: value < most


def one_of(*values):
    return lambda value: value in values
