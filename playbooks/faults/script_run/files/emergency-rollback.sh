#!/bin/bash
# As a source runbook has it. Adapted: where the API is ($API), the paths of its routes, and where the log is ($LOG_FOLDER).

set -e

echo "EMERGENCY ROLLBACK INITIATED"

# Configuration
STABLE_COMMIT=${1:-"HEAD~1"}
LOG_FILE="$LOG_FOLDER/script.log"

# Log everything
exec > >(tee -a ${LOG_FILE})
exec 2>&1

echo "Rollback to: $STABLE_COMMIT"
echo "Started at: $(date)"

# 1. Pause queues
echo "1/8 Pausing queues..."
curl -X POST $API/queue/pause || echo "Warning: Could not pause queues"

# 2. Checkout code
echo "2/8 Checking out stable version..."
git fetch
git checkout $STABLE_COMMIT

# 3. Install dependencies
echo "3/8 Installing dependencies..."
npm install

# 4. Build
echo "4/8 Building..."
npm run build

# 5. Restart services
echo "5/8 Restarting services..."
pm2 restart all

# 6. Wait for services to start
echo "6/8 Waiting for services to start..."
sleep 15

# 7. Verify health
echo "7/8 Verifying health..."
if curl -f $API/health/ready; then
  echo "Health check passed"
else
  echo "Health check failed"
  exit 1
fi

# 8. Resume queues
echo "8/8 Resuming queues..."
curl -X POST $API/queue/resume

echo "ROLLBACK COMPLETED"
echo "Completed at: $(date)"
echo "Log file: $LOG_FILE"
