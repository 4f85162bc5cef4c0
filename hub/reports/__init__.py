"""Reports that are read from the ledger: VAT of a day, and whether the gateway agrees."""
