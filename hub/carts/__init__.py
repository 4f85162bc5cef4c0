"""Carts: decisions turned into priced lines."""
