"""Pure perception: frames and grams in, observations and likelihoods out. No clock, no I/O."""
