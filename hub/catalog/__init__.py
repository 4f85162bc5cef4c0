"""Products, their VAT and their prices over time."""
