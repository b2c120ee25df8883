"""The worker: time and the database in, use cases called; nothing is decided here."""
