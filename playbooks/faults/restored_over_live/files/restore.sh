#!/bin/bash
# A runbook's commands as they are written, one after the other. Prints the status of the last and what all have said.
#   restore.sh DATABASE BACKUP LOG
database=$1 backup=$2 log=$3
{
    dropdb "$database"
    createdb "$database"
    psql "$database" < "$backup"
    status=$?
} > "$log" 2>&1
echo "status $status" >> "$log"
