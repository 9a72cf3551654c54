"""Routing: bandit policies over array state, the loop that plays them, and nothing that reads or writes.

A policy (`krins.interfaces.Policy`) is a frozen dataclass of hyper-parameters with pure methods over arrays whose
leading axis is independent replications. One file holds one family:

| by | files |
|---|---|
| rewards alone | `epsilon_greedy`, `ucb`, `divergence` (KL-UCB, IMED), `thompson`, `exp3`, `baselines` |
| features of the task | `linear` on `ridge`; the features themselves: `features` |
| quality and cost apart | `budgeted` and `quality_floor` on `billed` |
| another policy, changed | `forgetting` (discount, window), `restart`, `floor` (exploration) |

`tally` is the state that many share, `index` what index policies have in common, `warm_start` fills states with
published scores, `posterior` is the quadrature behind Thompson propensities, `reward` the formula, `build` makes
policies from a suite's entries, `play` is the batched loop, and `router` a policy at work on one replication, which
`steppers` make fast and whose state `state_file` keeps. NumPy only.
"""
