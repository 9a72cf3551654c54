"""The gateway: model calls in the wire formats that clients already speak, sent on to the arm that the router chose.

caller's bytes ── asked ──> Deciding ──> target ──> upstream ──> relay or whole answer ──> caller's bytes
                               ^           │ (translations where the wire formats differ)
                               └ redirect ─┘ on failure, before the first byte of an answer
"""
