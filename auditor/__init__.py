"""Compares truth, event log and ledger. Shares no code with the hub."""
