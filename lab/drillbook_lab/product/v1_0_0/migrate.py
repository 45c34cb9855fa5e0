"""`python migrate.py up|down|status`: the database fits this release.

`up` applies each migration that is missing. `down` takes back, newest first, each one that this release does not have:
how is in the database since it was applied. PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE say where that is.
"""

import sys
from pathlib import Path

import psycopg

FOLDER = Path(__file__).resolve().parent / "migrations"


def known():
    return {path.name.removesuffix(".up.sql"): path for path in sorted(FOLDER.glob("*.up.sql"))}


def main(verb):
    migrations = known()
    with psycopg.connect(connect_timeout=5) as database:
        rows = database.execute(
            "SELECT name, down FROM schema_migrations ORDER BY applied_at DESC, name DESC"
        ).fetchall()
        applied = dict(rows)
        missing = [name for name in migrations if name not in applied]
        unknown = [name for name, _ in rows if name not in migrations]
        if verb == "status":
            print(f"missing {' '.join(missing) or 'none'}; unknown {' '.join(unknown) or 'none'}")
        elif verb == "up":
            for name in missing:
                database.execute(migrations[name].read_text())
                down = migrations[name].with_name(f"{name}.down.sql").read_text()
                database.execute("INSERT INTO schema_migrations (name, down) VALUES (%s, %s)", (name, down))
                print(f"applied {name}")
        elif verb == "down":
            for name in unknown:
                database.execute(applied[name])
                database.execute("DELETE FROM schema_migrations WHERE name = %s", (name,))
                print(f"took back {name}")
        else:
            sys.exit("say: python migrate.py up, down or status")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:] or [""])
    except psycopg.Error as error:
        sys.exit(f"the database refused: {error}")
