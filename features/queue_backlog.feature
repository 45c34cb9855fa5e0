@runbook:queue.md @severity:P2 @rto:5m
Feature: Jobs pile up
  More comes in than is done. The backlog must fall again, and nothing of it may be lost.

  Background:
    Given the system is healthy

  @row:Q5 @runbook:queue.md#how-it-shows @runbook:queue.md#start-the-workers @runbook:queue.md#success-criteria
  Scenario: No worker runs
    Given jobs are submitted at 20 per second
    When no worker runs
    Then within 20 seconds 100 more jobs wait than before
    And within 20 seconds nothing is completed any more
    And within 30 seconds an alert about "pile up" reaches the "#alerts" channel
    And the queue's counts, its oldest active jobs and its workers are written down
    When the recovery playbook "queue/start_workers" is run
    Then within 60 seconds 3 workers are connected to the queue
    And within 60 seconds the queue is as deep as before, within 10 % or 20 jobs
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds no job is active for more than 5 seconds
    And within 60 seconds at most 2 % of the jobs fail
    And within 60 seconds the all-clear about "pile up" reaches the "#alerts" channel
    And within 2 minutes every acknowledged job is completed exactly once

  @row:Q5 @runbook:queue.md#scale-the-workers
  Scenario: One worker is left and is too slow for what comes in
    Given jobs that take 250 ms each are submitted at 24 per second
    When all workers but one are stopped
    Then within 20 seconds 60 more jobs wait than before
    And within 20 seconds 1 worker is connected to the queue
    And the queue's counts, its oldest active jobs and its workers are written down
    When the recovery playbook "queue/start_workers" is run
    Then within 60 seconds 3 workers are connected to the queue
    And within 60 seconds the queue is as deep as before, within 10 % or 20 jobs
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 2 minutes every acknowledged job is completed exactly once

  @row:Q6 @row:P4 @runbook:queue.md#start-redis @runbook:communication.md#when-it-begins
  @runbook:communication.md#while-it-runs @runbook:communication.md#when-it-is-over
  Scenario: Redis behind the queue is down
    Given jobs that take 400 ms each are submitted at 8 per second
    When every Redis node is killed
    Then within 10 seconds Redis takes no writes
    And within 20 seconds the queue cannot be counted
    And within 30 seconds new jobs are kept in memory
    And the processes of "redis_nodes" and "worker" are written down
    When the message "initiating" is sent
    And the recovery playbook "redis/start" is run
    And the message "update" is sent
    Then within 60 seconds the message "initiating" reaches "#incidents" and "oncall@example.org"
    And within 60 seconds the message "update" reaches "#incidents" and "oncall@example.org"
    And within 60 seconds Redis takes writes
    And within 60 seconds the memory buffer is empty
    And within 60 seconds 3 workers are connected to the queue
    And within 2 minutes every acknowledged job is completed exactly once
    And within 2 minutes jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs
    When the message "resolved" is sent
    Then within 60 seconds the message "resolved" reaches "#incidents" and "oncall@example.org"

  @row:Q5 @as-written @finding:S0-1-diagnosis @runbook:queue.md#diagnosis
  Scenario: The length of "waiting" says that nothing waits
    The source counts waiting jobs with LLEN of a key "waiting", which is 0 however many jobs wait, since BullMQ keeps them in "wait". It looks for workers with `ps aux | grep`, which finds itself where there is none. It lists all queues with KEYS, which gives every key of one queue, each job among them. An engineer who believes these looks elsewhere.
    Count "wait" and "prioritized", or ask the queue's own metrics; ask Redis which workers are connected, or their process manager.

    Given jobs are submitted at 20 per second
    When no worker runs
    Then within 20 seconds the length of "waiting" is 0 while 50 jobs wait
    And the search for worker processes finds one, although none runs
    And the list of all queues names keys, at least 5 of one queue
    And the runbook's own questions are asked, and their answers written down
    When the recovery playbook "queue/start_workers" is run
    Then within 60 seconds the queue is as deep as before, within 10 % or 20 jobs
    And within 2 minutes every acknowledged job is completed exactly once

  @row:Q8 @accepts-data-loss:40 @runbook:queue.md#clear-the-queue
  Scenario: What waits must never be done, and the queue is cleared
    Given users have looked up 50 further items
    When the queue is paused, and 40 jobs come in
    Then within 20 seconds 40 jobs wait
    And none of them is done for 2 seconds
    And the queue's counts, its oldest active jobs and its workers are written down
    When the recovery playbook "queue/clear" is run
    Then within 20 seconds 0 jobs wait
    And all items that users have looked up are still cached
    And within 60 seconds 20 new jobs are completed, and only what was accepted is lost

  @row:Q8 @as-written @finding:S3-3.4 @accepts-data-loss:40 @runbook:queue.md#clear-the-queue
  Scenario: The whole database is flushed to clear the queue
    The source clears the queue with FLUSHDB and warns of the pending jobs. It also takes what else is in that database, and that the queue was paused: what comes in next is done at once, although nobody resumed the queue.
    Remove the queue alone, by BullMQ's own operation, in a drill that says how many jobs are lost.

    Given users have looked up 50 further items
    When the queue is paused, and 40 jobs come in
    Then within 20 seconds 40 jobs wait
    And the keys of the database and the queue's pause are written down
    When the recovery playbook "queue/as_written/flush" is run
    Then within 20 seconds none of the items that users have looked up is cached
    And within 20 seconds the queue is not paused any more, although nobody resumed it
    And the keys of the database and the queue's pause are written down
    And within 60 seconds 20 new jobs are completed, and only what was accepted is lost
