"""The store's world: bodies, shoppers, shelves, and time."""
