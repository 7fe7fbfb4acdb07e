"""Workers that take gradings of one kind only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("only", sa.String(length=20), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "only")
