"""Proofs: whether the reference of an exercise passes its suite on an image."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "proofs",
        sa.Column("exercise_digest", sa.String(length=80), nullable=False),
        sa.Column("image", sa.Text(), nullable=False),
        sa.Column("exercise", sa.String(length=100), nullable=False),
        sa.Column("standing", sa.String(length=20), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("exercise_digest", "image", name=op.f("pk_proofs")),
    )


def downgrade() -> None:
    op.drop_table("proofs")
