#!/bin/bash
# Takes a backup of a database, and keeps it only when it is whole. PGHOST, PGDATABASE and so on say which database.
#   backup.sh take FOLDER KEEP [BIN]   dumps it, keeps the last KEEP backups, prints the name of the new one
#   backup.sh rows [BIN]               prints what each table holds now: name, number of rows, checksum
set -euo pipefail
umask 077

# The checksum does not depend on the order of the rows.
rows="
SELECT set_config('timezone', 'UTC', true) \\g /dev/null
SELECT format('SELECT %L, count(*), md5(coalesce(string_agg(md5(t::text), '''' ORDER BY md5(t::text)), '''')) FROM %I.%I t',
              schemaname || '.' || tablename, schemaname, tablename)
FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY schemaname, tablename \\gexec
"

case $1 in
rows)
    PATH=${2:+$2:}$PATH
    psql -qAtX -v ON_ERROR_STOP=1 <<< "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; $rows"
    ;;
take)
    folder=$2 keep=$3
    PATH=${4:+$4:}$PATH
    mkdir -p "$folder"
    name=backup_$(date -u +%Y%m%dT%H%M%S.%3NZ)
    # Under another name until it is whole: nobody takes a half of one for a backup, and it pushes no good one out.
    export part=$folder/.$name.part list=$folder/.$name.list manifest=$folder/.$name.rows
    trap 'rm -f "$part" "$list" "$manifest"' EXIT
    # Dump and rows are of one snapshot.
    psql -qAtX -v ON_ERROR_STOP=1 <<< "
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SELECT pg_export_snapshot() AS snapshot \\gset
\\setenv SNAPSHOT :snapshot
\\! pg_dump --format=custom --snapshot=\"\$SNAPSHOT\" --file=\"\$part\" && pg_restore --list \"\$part\" > \"\$list\"
\\if :SHELL_ERROR
DO \$\$ BEGIN RAISE 'no backup: the dump is not whole'; END \$\$;
\\endif
\\getenv manifest manifest
\\o :manifest
$rows"
    grep -q 'TABLE DATA' "$list" || { echo "no backup: there is no table in it" >&2; exit 1; }
    mv "$manifest" "$folder/$name.rows"
    mv "$part" "$folder/$name.dump"
    find "$folder" -maxdepth 1 -name 'backup_*.dump' | sort -r | tail -n +$((keep + 1)) | while read -r old; do
        rm -f "$old" "${old%.dump}.rows"
    done
    echo "$name"
    ;;
*)
    echo "usage: backup.sh take FOLDER KEEP [BIN] | backup.sh rows [BIN]" >&2
    exit 64
    ;;
esac
