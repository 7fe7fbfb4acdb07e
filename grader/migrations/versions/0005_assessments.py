"""Assessments: names that keys are handed out for, and that submissions belong to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("assessment", sa.String(length=100), nullable=True))
    op.add_column("submissions", sa.Column("assessment", sa.String(length=100), nullable=True))
    op.create_index("ix_submissions_assessment_id", "submissions", ["assessment", "id"])


def downgrade() -> None:
    op.drop_index("ix_submissions_assessment_id", "submissions")
    op.drop_column("submissions", "assessment")
    op.drop_column("api_keys", "assessment")
