"""The simulated store: world, shoppers, renderer, plates, recordings, truth."""
