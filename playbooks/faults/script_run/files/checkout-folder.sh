#!/bin/bash
# As a source runbook has it. Adapted: the folder.
exec > "$LOG_FOLDER/script.log" 2>&1

git checkout $1 -- api/
npm run build
pm2 restart all
