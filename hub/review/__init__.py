"""What the hub was not sure of."""
