"""Disputes: a shopper says a receipt line is wrong; small ones are refunded at once."""
