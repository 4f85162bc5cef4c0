"""Signed webhooks: the event log, told to other systems at least once and in order."""
