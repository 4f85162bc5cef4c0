"""Pick-up walls in lockstep: simulated parcels, people and light; the real node and hub."""
