"""The one database: SQLite in WAL mode, or PostgreSQL."""
