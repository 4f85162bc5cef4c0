"""Staff accounts, sessions, API keys, the audit log and idempotency keys: beside the core."""
