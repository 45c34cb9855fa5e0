#!/bin/bash
# Runs a backup script night after night, all within a moment: what differs for it is the date.
#   nights.sh SCRIPT GOOD BAD [ARGUMENT...]    GOOD nights on which the database lets it in, then BAD nights on which it does not
set -eu
script=$1 good=$2 bad=$3
shift 3
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
printf '#!/bin/sh\nexec %s -d "2026-01-01 +$NIGHT days" "$@"\n' "$(command -v date)" > "$tools/date"
chmod +x "$tools/date"
mkdir -p "$BACKUP_DIR"
for ((night = 1; night <= good + bad; night++)); do
    if ((night > good)); then
        export PGPASSWORD=of-yesterday # nobody has told the script that the password was changed
    fi
    if said=$(NIGHT=$night PATH=$tools:$PATH bash "$script" "$@" 2>&1); then status=0; else status=$?; fi
    ((night <= good)) || echo "$status|${said//$'\n'/ }" >> "$BACKUP_DIR/nights.log"
done
