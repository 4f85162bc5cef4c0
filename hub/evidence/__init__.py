"""Evidence: what nodes have of a reach, asked for only when a review or dispute needs it."""
