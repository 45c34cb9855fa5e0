"""The tables of the application, and the rows that every lab begins with.

Users make `projects` and `scenes`. A scene belongs to a project, and the database refuses a scene without one. `items`
holds the catalogue that look-ups ask for, and the rows that jobs write.
"""

from typing import Any

import psycopg

ITEMS = 100
PROJECTS = 200
SCENES_OF_EACH = 3

SCHEMA = """
CREATE TABLE items (
    id text PRIMARY KEY,
    kind text NOT NULL,
    value jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- The truth about work done, with no unique constraint: what ran twice must be seen here twice.
CREATE TABLE job_runs (
    job_id text NOT NULL,
    worker text NOT NULL,
    attempt int NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX job_runs_job_id ON job_runs (job_id);
CREATE INDEX job_runs_at ON job_runs (at);
-- Jobs that were delivered again after their work had been done, and that did nothing the second time.
CREATE TABLE job_redeliveries (
    job_id text NOT NULL,
    worker text NOT NULL,
    attempt int NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE projects (
    id text PRIMARY KEY,
    name text NOT NULL,
    content text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE scenes (
    id text PRIMARY KEY,
    project_id text NOT NULL REFERENCES projects (id),
    position int NOT NULL,
    content text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX scenes_project_id ON scenes (project_id);
-- What deployments have changed here, each with how it is taken back.
CREATE TABLE schema_migrations (
    name text PRIMARY KEY,
    down text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""
# The seed's `updated_at` lies in the past, one minute apart, so a search for what users changed finds no seed.
SEED = """
INSERT INTO items (id, kind, value)
SELECT 'item-' || n, 'seed', jsonb_build_object('number', n) FROM generate_series(1, %(items)s) AS n
"""
SEED_PROJECTS = """
INSERT INTO projects (id, name, content, updated_at)
SELECT 'project-' || n, 'Project ' || n, 'content of project ' || n,
       timestamptz '2026-01-01 00:00:00+00' + n * interval '1 minute'
FROM generate_series(1, %(projects)s) AS n
"""
SEED_SCENES = """
INSERT INTO scenes (id, project_id, position, content, updated_at)
SELECT 'scene-' || n || '-' || m, 'project-' || n, m, 'content of scene ' || m || ' of project ' || n,
       timestamptz '2026-01-01 00:00:00+00' + n * interval '1 minute'
FROM generate_series(1, %(projects)s) AS n, generate_series(1, %(scenes)s) AS m
"""


def make(connection: psycopg.Connection[Any]) -> None:
    """Make all tables with their seed, in the transaction of the connection."""
    connection.execute(SCHEMA)
    connection.execute(SEED, {"items": ITEMS})
    connection.execute(SEED_PROJECTS, {"projects": PROJECTS})
    connection.execute(SEED_SCENES, {"projects": PROJECTS, "scenes": SCENES_OF_EACH})
