"""Visits: entry codes, gates, the floor tracks they are bound to, and their ends."""
