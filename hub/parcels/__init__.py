"""Orders and parcels, pick-up walls, and who takes what from them. See docs/parcels.md."""
