"""Deciding in every replica, learning in one place: what is acknowledged is never lost and never learnt twice.

| part | what it is |
|---|---|
| `ids` | decision ids, signed and self-contained |
| `decider` | a replica's own copy of the router; `sticky` weighs prompt caches |
| `learnt` | all that the service has learnt: a state machine over journal records |
| `learner` | the same, durable; `actor` hosts it, `client` is a replica's way to it |
| `loading`, `registry` | where routers come from |
| `aside` | what takes MLflow or SciPy, in a process that ends |
| `log`, `analysis` | the service's own decisions as a log that off-policy estimators read |
"""
