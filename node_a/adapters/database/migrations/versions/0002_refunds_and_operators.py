"""Refunds, what operators do, trials, erasure, jobs, and since when something is stuck."""

import sqlalchemy as sa
from alembic import op

from node_a.adapters.database.engine import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("leased_until", UtcDateTime(), nullable=True),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs")),
    )
    op.create_table(
        "operator_acts",
        sa.Column("update_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("update_id", name=op.f("pk_operator_acts")),
    )
    op.create_table(
        "told_stuck",
        sa.Column("what", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("what", name=op.f("pk_told_stuck")),
    )
    op.create_table(
        "trials",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("taken_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_trials")),
    )
    with op.batch_alter_table("trials", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_trials_taken_at"), ["taken_at"], unique=False)

    op.create_table(
        "refunds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("amount_currency", sa.String(length=3), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_refunds_provider_id")),
    )
    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_refunds_opened_at"),
            ["opened_at"],
            unique=False,
            sqlite_where=sa.text("settled_at IS NULL"),
            postgresql_where=sa.text("settled_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_refunds_payment_id"), ["payment_id"], unique=False)

    with op.batch_alter_table("accesses", schema=None) as batch_op:
        batch_op.add_column(sa.Column("behind_since", UtcDateTime(), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_accesses_behind_since"),
            ["behind_since"],
            unique=False,
            sqlite_where=sa.text("behind_since IS NOT NULL"),
            postgresql_where=sa.text("behind_since IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_accesses_leased_until"),
            ["leased_until"],
            unique=False,
            sqlite_where=sa.text("leased_until IS NOT NULL"),
            postgresql_where=sa.text("leased_until IS NOT NULL"),
        )

    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("erase_at", UtcDateTime(), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_customers_erase_at"),
            ["erase_at"],
            unique=False,
            sqlite_where=sa.text("erase_at IS NOT NULL"),
            postgresql_where=sa.text("erase_at IS NOT NULL"),
        )

    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.add_column(sa.Column("days_taken", sa.Integer(), server_default="0", nullable=False))

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("waiting_since", UtcDateTime(), nullable=True))

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("received_minor_units", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("received_currency", sa.String(length=3), nullable=True))
        batch_op.add_column(sa.Column("receipt_to", sa.String(length=254), nullable=True))
        batch_op.add_column(sa.Column("failing_since", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("attention", sa.String(length=128), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_payments_attention"),
            ["attention"],
            unique=False,
            sqlite_where=sa.text("attention IS NOT NULL"),
            postgresql_where=sa.text("attention IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_payments_failing_since"),
            ["failing_since"],
            unique=False,
            sqlite_where=sa.text("failing_since IS NOT NULL"),
            postgresql_where=sa.text("failing_since IS NOT NULL"),
        )

    op.execute("UPDATE payments SET attention = reason WHERE state = 'disputed'")


def downgrade() -> None:
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_index(
            batch_op.f("ix_payments_failing_since"),
            sqlite_where=sa.text("failing_since IS NOT NULL"),
            postgresql_where=sa.text("failing_since IS NOT NULL"),
        )
        batch_op.drop_index(
            batch_op.f("ix_payments_attention"),
            sqlite_where=sa.text("attention IS NOT NULL"),
            postgresql_where=sa.text("attention IS NOT NULL"),
        )
        batch_op.drop_column("attention")
        batch_op.drop_column("failing_since")
        batch_op.drop_column("receipt_to")
        batch_op.drop_column("received_currency")
        batch_op.drop_column("received_minor_units")

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_column("waiting_since")

    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.drop_column("days_taken")

    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.drop_index(
            batch_op.f("ix_customers_erase_at"),
            sqlite_where=sa.text("erase_at IS NOT NULL"),
            postgresql_where=sa.text("erase_at IS NOT NULL"),
        )
        batch_op.drop_column("erase_at")

    with op.batch_alter_table("accesses", schema=None) as batch_op:
        batch_op.drop_index(
            batch_op.f("ix_accesses_leased_until"),
            sqlite_where=sa.text("leased_until IS NOT NULL"),
            postgresql_where=sa.text("leased_until IS NOT NULL"),
        )
        batch_op.drop_index(
            batch_op.f("ix_accesses_behind_since"),
            sqlite_where=sa.text("behind_since IS NOT NULL"),
            postgresql_where=sa.text("behind_since IS NOT NULL"),
        )
        batch_op.drop_column("behind_since")

    with op.batch_alter_table("refunds", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_refunds_payment_id"))
        batch_op.drop_index(
            batch_op.f("ix_refunds_opened_at"),
            sqlite_where=sa.text("settled_at IS NULL"),
            postgresql_where=sa.text("settled_at IS NULL"),
        )

    op.drop_table("refunds")
    with op.batch_alter_table("trials", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_trials_taken_at"))

    op.drop_table("trials")
    op.drop_table("told_stuck")
    op.drop_table("operator_acts")
    op.drop_table("jobs")
