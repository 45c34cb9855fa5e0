#!/bin/bash
# A runbook's script as it is written; only its folder is a variable.
TIMESTAMP=$(date +%Y%m%d_%H%M%S)
BACKUP_FILE="$BACKUP_DIR/backup_$TIMESTAMP.sql.gz"

mkdir -p $BACKUP_DIR

pg_dump $DATABASE_URL | gzip > $BACKUP_FILE

if [ $? -eq 0 ]; then
  echo "Backup created successfully"
else
  echo "Backup failed"
  exit 1
fi

# Clean up old backups (keep last 10)
ls -t $BACKUP_DIR/backup_*.sql.gz | tail -n +11 | xargs rm -f
