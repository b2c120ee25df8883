"""The history of the tables, by alembic; `python -m node_a migrate` brings a database up to date."""
