"""Durable work: the job queue, idempotency claims, and the coordinator behind them."""
