"""Regrades with their changes and acts; the exercise's digest of each grading, to choose by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("gradings", sa.Column("exercise_digest", sa.String(length=80), nullable=True))
    op.create_index(op.f("ix_gradings_exercise_digest"), "gradings", ["exercise_digest"])
    op.execute(
        "UPDATE gradings SET exercise_digest = result->'provenance'->>'exercise_digest' WHERE result IS NOT NULL"
    )
    op.create_table(
        "regrades",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("policy", sa.String(length=20), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("selection", _JSON, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_regrades_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regrades")),
    )
    op.create_table(
        "regrade_changes",
        sa.Column("regrade_id", sa.String(length=32), nullable=False),
        sa.Column("submission_id", sa.String(length=32), nullable=False),
        sa.Column("old_id", sa.String(length=32), nullable=False),
        sa.Column("new_id", sa.String(length=32), nullable=True),
        sa.Column("found", sa.String(length=20), nullable=False),
        sa.Column("reused", sa.Boolean(), nullable=False),
        sa.Column("flaky", sa.Boolean(), nullable=False),
        sa.Column("old_verdict", sa.String(length=20), nullable=True),
        sa.Column("old_score", sa.Float(), nullable=True),
        sa.Column("old_max_score", sa.Float(), nullable=True),
        sa.Column("new_verdict", sa.String(length=20), nullable=True),
        sa.Column("new_score", sa.Float(), nullable=True),
        sa.Column("new_max_score", sa.Float(), nullable=True),
        sa.Column("moved", _JSON, nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["regrade_id"], ["regrades.id"], name=op.f("fk_regrade_changes_regrade_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submissions.id"], name=op.f("fk_regrade_changes_submission_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["old_id"], ["gradings.id"], name=op.f("fk_regrade_changes_old_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["new_id"], ["gradings.id"], name=op.f("fk_regrade_changes_new_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("regrade_id", "submission_id", name=op.f("pk_regrade_changes")),
    )
    op.create_index("ix_regrade_changes_regrade_id_found", "regrade_changes", ["regrade_id", "found", "submission_id"])
    op.create_index("ix_regrade_changes_submission_id", "regrade_changes", ["submission_id"])
    op.create_index(op.f("ix_regrade_changes_new_id"), "regrade_changes", ["new_id"])
    op.create_table(
        "regrade_acts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("regrade_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["regrade_id"], ["regrades.id"], name=op.f("fk_regrade_acts_regrade_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_regrade_acts_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regrade_acts")),
    )
    op.create_index(op.f("ix_regrade_acts_regrade_id"), "regrade_acts", ["regrade_id"])


def downgrade() -> None:
    for table in ("regrade_acts", "regrade_changes", "regrades"):
        op.drop_table(table)
    op.drop_index(op.f("ix_gradings_exercise_digest"), "gradings")
    op.drop_column("gradings", "exercise_digest")
