"""Commerce: visits, attribution, carts, wallet, catalog, inventory, review and their storage."""
