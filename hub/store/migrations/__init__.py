"""Alembic migrations; `hub.store.database.migrate` runs them at every start."""
