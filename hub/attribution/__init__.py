"""Who took what: pure joint inference over reaches, tracks, planogram and carts."""
