"""Commerce: visits, carts, attribution, wallets, receipts, pages."""
