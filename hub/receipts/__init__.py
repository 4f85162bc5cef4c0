"""Receipts: one document, shown as a page, as PDF, and sent by e-mail."""
