"""The database: journal, event log, ledger and what is read from them."""
