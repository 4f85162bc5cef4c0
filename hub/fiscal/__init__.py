"""The fiscal journal: what was sold and corrected, chained, signed, closed by day, archived."""
