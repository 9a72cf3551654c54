"""Routing: bandit policies over array state, the loop that plays them, and nothing that reads or writes.

A policy (`krins.interfaces.Policy`) is a frozen dataclass of hyper-parameters with pure methods over arrays whose
leading axis is independent replications. One file holds one family: `epsilon_greedy`, `ucb`, `thompson`, `baselines`.
`tally` is the state that most of them share, `posterior` the quadrature behind Thompson propensities, `play` the
batched loop. NumPy only.
"""
