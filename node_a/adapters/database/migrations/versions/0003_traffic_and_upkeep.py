"""Traffic by the hour, rotations, a queue for each keeper, and what is remembered of nodes."""

import sqlalchemy as sa
from alembic import op

from node_a.adapters.database.engine import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rotations",
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("rotation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_rotations_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscription_id", "rotation", name=op.f("pk_rotations")),
    )
    op.create_table(
        "traffic",
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("hours", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_traffic_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscription_id", "hours", "starts_at", name=op.f("pk_traffic")),
    )
    with op.batch_alter_table("traffic", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_traffic_starts_at"),
            ["starts_at"],
            unique=False,
            sqlite_where=sa.text("hours = 1"),
            postgresql_where=sa.text("hours = 1"),
        )

    with op.batch_alter_table("accesses", schema=None) as batch_op:
        batch_op.add_column(sa.Column("counter", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("counter_at_start", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("used_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("urgency", sa.Integer(), server_default="0", nullable=False))
        batch_op.create_index(
            batch_op.f("ix_accesses_node_protocol_urgency_due_at"),
            ["node", "protocol", "urgency", "due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )

    with op.batch_alter_table("nodes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("state", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("health", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("audit", sa.JSON(), nullable=True))

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("by_link", sa.Boolean(), server_default=sa.false(), nullable=False))

    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("suspended", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("counted_from", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("used", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("subscriptions", schema=None) as batch_op:
        batch_op.drop_column("used")
        batch_op.drop_column("counted_from")
        batch_op.drop_column("suspended")

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_column("by_link")

    with op.batch_alter_table("nodes", schema=None) as batch_op:
        batch_op.drop_column("audit")
        batch_op.drop_column("health")
        batch_op.drop_column("state")

    with op.batch_alter_table("accesses", schema=None) as batch_op:
        batch_op.drop_index(
            batch_op.f("ix_accesses_node_protocol_urgency_due_at"),
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )
        batch_op.drop_column("urgency")
        batch_op.drop_column("used_at")
        batch_op.drop_column("counter_at_start")
        batch_op.drop_column("counter")

    with op.batch_alter_table("traffic", schema=None) as batch_op:
        batch_op.drop_index(
            batch_op.f("ix_traffic_starts_at"), sqlite_where=sa.text("hours = 1"), postgresql_where=sa.text("hours = 1")
        )

    op.drop_table("traffic")
    op.drop_table("rotations")
