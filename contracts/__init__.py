"""The words everything shares: ids, money, units, topics, messages, the store file.

Validation only: this package opens no socket, reads no clock and knows no other package.
"""
