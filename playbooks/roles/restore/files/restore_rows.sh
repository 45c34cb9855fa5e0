#!/bin/bash
# Brings single rows back from a backup, and touches no other. Prints how many it has changed.
#   restore_rows.sh DUMP TABLE KEY CONDITION [BIN]   the rows of TABLE for which CONDITION holds now, by their KEY
set -euo pipefail
umask 077
dump=$1 table=$2 key=$3 condition=$4
PATH=${5:+$5:}$PATH
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
# The dump names the live table. Its rows go into one that only this session sees; no other line is changed.
pg_restore --data-only --table="$table" --file=- "$dump" | sed '0,/^COPY [^ ]* /s//COPY pg_temp.kept /' > "$rows"
grep -q '^COPY pg_temp.kept ' "$rows" || { echo "$dump has no rows of $table" >&2; exit 1; }
export rows table key condition
psql -qAtX -v ON_ERROR_STOP=1 <<'SQL'
\getenv rows rows
\getenv table table
\getenv key key
\getenv condition condition
BEGIN;
CREATE TEMPORARY TABLE kept (LIKE :"table");
\o /dev/null
\i :rows
\o
RESET search_path;
SELECT format('UPDATE %I t SET (%s) = ROW(%s) FROM pg_temp.kept k WHERE t.%I = k.%I AND t.%I IN (SELECT %I FROM %I WHERE %s)',
              :'table', string_agg(quote_ident(attname), ', '), string_agg('k.' || quote_ident(attname), ', '),
              :'key', :'key', :'key', :'key', :'table', :'condition') AS update
FROM pg_attribute WHERE attrelid = :'table'::regclass AND attnum > 0 AND NOT attisdropped \gset
:update;
\echo :ROW_COUNT
COMMIT;
SQL
