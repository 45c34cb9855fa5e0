@runbook:queue.md @severity:P1 @rto:5m
Feature: The queue is stuck
  Jobs stay active and nothing, or one of them, never ends. What was acknowledged must be done, and done once.

  Background:
    Given the system is healthy

  @row:Q1 @row:Q10 @row:P4 @runbook:queue.md#start-the-workers @runbook:communication.md#when-it-begins
  @runbook:communication.md#while-it-runs @runbook:communication.md#when-it-is-over
  Scenario: Every worker dies while it holds jobs
    Given jobs that take 400 ms each are submitted at 8 per second
    When every worker is killed
    Then within 10 seconds no worker is connected to the queue
    And within 20 seconds a job is active for more than 5 seconds
    And within 20 seconds nothing is completed any more
    And within 30 seconds an alert about "active for too long" reaches the "#alerts" channel
    And the queue's counts, its oldest active jobs and its workers are written down
    When the message "initiating" is sent
    And the recovery playbook "queue/start_workers" is run
    And the message "update" is sent
    Then within 60 seconds the message "initiating" reaches "#incidents" and "oncall@example.org"
    And within 60 seconds the message "update" reaches "#incidents" and "oncall@example.org"
    And within 60 seconds 3 workers are connected to the queue
    And within 60 seconds no job is active for more than 5 seconds
    And within 60 seconds the all-clear about "active for too long" reaches the "#alerts" channel
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs
    When the message "resolved" is sent
    Then within 60 seconds the message "resolved" reaches "#incidents" and "oncall@example.org"

  @row:Q3 @row:Q10 @runbook:queue.md#move-a-stuck-job-to-failed
  Scenario: One job never ends
    Given jobs are submitted at 5 per second
    When a job comes in that never ends
    Then within 15 seconds a job is active for more than 5 seconds
    And within 30 seconds an alert about "active for too long" reaches the "#alerts" channel
    And within 15 seconds the other jobs go on
    And the queue's counts, its oldest active jobs and its workers are written down
    When the recovery playbook "queue/fail_stuck_jobs" is run
    Then within 30 seconds that job is failed, with "stuck" as its reason
    And within 30 seconds no job is active for more than 5 seconds
    And within 60 seconds the all-clear about "active for too long" reaches the "#alerts" channel
    And within 60 seconds 3 workers are connected to the queue
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %

  @row:Q3 @runbook:queue.md#retry-a-stuck-job
  Scenario: One job hangs, and would end if it were tried again
    Given jobs are submitted at 5 per second
    When a job comes in that does not end the first time
    Then within 15 seconds a job is active for more than 5 seconds
    And within 15 seconds the other jobs go on
    And the queue's counts, its oldest active jobs and its workers are written down
    When the recovery playbook "queue/retry_stuck_jobs" is run
    Then within 30 seconds that job is completed
    And within 30 seconds no job is active for more than 5 seconds
    And within 60 seconds 3 workers are connected to the queue
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %

  @row:Q7 @runbook:queue.md#bury-a-poison-message
  Scenario: A poison message takes one worker after the other down
    Given jobs are submitted at 5 per second
    When a job comes in that kills every worker which takes it
    Then within 60 seconds that job has lost its worker 2 times
    And within 60 seconds no worker is connected to the queue
    And within 60 seconds nothing is completed any more
    And the queue's counts, its oldest active jobs and its workers are written down
    When the recovery playbook "queue/bury_poison" is run
    Then within 30 seconds that job is failed, with "poison" as its reason
    And within 60 seconds 3 workers are connected to the queue
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs

  @row:Q7 @self-healing @self-healing-off:attempts_unlimited @runbook:queue.md#a-job-fails-again-and-again
  Scenario: A poison message fails again and again
    Given jobs are submitted at 5 per second
    When a job comes in that fails every time
    Then within 15 seconds that job has failed 2 times
    And within 15 seconds the other jobs go on
    When the system is left to itself
    Then within 30 seconds that job is failed, with "poison" as its reason
    And within 30 seconds the dead-letter queue holds 1 more job than before
    And the latest failed jobs are written down
    And within 60 seconds 3 workers are connected to the queue
    And within 60 seconds every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs

  @row:Q9 @row:P3 @runbook:queue.md#roll-the-queues-code-back @runbook:verification.md#the-ladder
  Scenario: A bad release of the workers makes jobs fail
    Given jobs are submitted at 20 per second
    When a release of the queue's code with a fault in it goes live
    Then within 60 seconds more than 2 % of the jobs fail
    And within 60 seconds an alert about "2 % of the jobs fail" reaches the "#alerts" channel
    And within 60 seconds every worker says that it runs release "1.2.0"
    And the latest failed jobs are written down
    When the recovery playbook "queue/roll_back_workers" is run
    Then within 60 seconds every worker says that it runs release "1.1.0"
    And within 60 seconds jobs are done by release "1.1.0" alone, for 2 seconds
    And within 60 seconds at most 2 % of the jobs fail
    And within 60 seconds the dead-letter queue holds no more jobs than before
    And within 60 seconds no job is active for more than 5 seconds
    And within 60 seconds workers take as long for a job as before, within 50 % or 50 ms
    And within 60 seconds the all-clear about "2 % of the jobs fail" reaches the "#alerts" channel
    And within 60 seconds 3 workers are connected to the queue
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And every rung of the ladder holds, up to the metrics

  @row:Q2 @as-written @finding:S0-1A @finding:S0-1A-watch @runbook:queue.md#rescue-jobs-from-a-key-that-nobody-reads
  Scenario: Active jobs are moved to "waiting" by a script
    S0-1A: the source empties the active list into a key named "waiting" and calls the jobs re-queued. BullMQ has no such key: no worker reads it, and the jobs are lost without an error.
    Start a worker instead, and let its own sweep bring them back; jobs that lie there already are moved back to active one by one.
    S0-1A-watch: the source verifies it with `watch` of the length of "active". The length is that of a queue that is well, and the jobs are lost all the same.
    Compare what was acknowledged with what is completed, and look for jobs in keys that no worker reads.

    Given jobs that take 400 ms each are submitted at 8 per second
    When every worker is killed
    And the active jobs are moved to "waiting" as the runbook writes it, and the workers are started
    Then for 3 seconds jobs lie in "waiting", where no worker looks, and are not completed
    And the length of "active" is that of a queue that is well, while jobs lie in "waiting"
    And the jobs in "waiting" are written down
    When the recovery playbook "queue/rescue_stranded_jobs" is run
    Then within 30 seconds no job lies in "waiting"
    And within 60 seconds 3 workers are connected to the queue
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %

  @row:Q4 @as-written @finding:S0-1B @finding:S0-1B-list @runbook:queue.md#repair-the-key-of-the-failed-jobs
  Scenario: A stuck job is pushed to "failed" by hand
    S0-1B: the source takes the id out of the active list and pushes it to "failed". That key is a sorted set: while no job has failed the command succeeds and makes it a list. From then on nobody can count the queue, and a job that fails for good vanishes from it.
    Move the job to failed by BullMQ's own operation, with its reason, and restart the worker that holds it.
    S0-1B-list: the source lists "active jobs older than 15 minutes" with LRANGE of the active list, which names every active job, however young: whoever goes on with the next step takes jobs away that are well.
    Ask each job since when it is active, or the queue for its oldest.

    Given jobs are submitted at 5 per second
    When a job comes in that never ends, and 3 that fail every time, after 2 seconds each
    And that job is moved to "failed" as the runbook writes it
    Then within 60 seconds that job is in no state that BullMQ knows
    And the queue cannot be counted for 3 seconds
    And within 60 seconds the 3 that fail are in no state that BullMQ knows
    And the list of jobs that are active for "more than 15 minutes" names one that is younger
    And the jobs in "failed" are written down
    When the recovery playbook "queue/repair_failed_key" is run
    Then within 60 seconds that job is failed, with "stuck" as its reason
    And within 60 seconds the 3 that fail are failed
    And within 60 seconds the queue can be counted
    And within 60 seconds 3 workers are connected to the queue
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %

  @row:Q4 @as-written @finding:S0-1B-refused @runbook:queue.md#repair-the-key-of-the-failed-jobs
  Scenario: A stuck job is pushed to "failed" by hand where others have failed
    The source takes the id out of the active list and pushes it to "failed". Once a job has failed that key is a sorted set, and Redis refuses the second command with WRONGTYPE after it has carried out the first: the job is in no list any more. The source's count of failed jobs, LLEN, is refused for the same reason.
    Count with ZCARD, and move the job to failed by BullMQ's own operation. A job that is in no list is found by its own key.

    Given jobs are submitted at 5 per second
    When a job comes in that never ends, and 1 that fail every time
    And that job is moved to "failed" as the runbook writes it, after another has failed
    Then within 60 seconds that job is in no state that BullMQ knows
    And the length of "failed" is refused with "WRONGTYPE"
    And the runbook's own questions are asked, and their answers written down
    When the recovery playbook "queue/repair_failed_key" is run
    Then within 60 seconds that job is failed, with "stuck" as its reason
    And within 60 seconds 3 workers are connected to the queue
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %

  @row:Q3 @as-written @finding:S0-1B-retry @runbook:queue.md#rescue-jobs-from-a-key-that-nobody-reads
  @runbook:queue.md#retry-a-stuck-job
  Scenario: A stuck job is pushed to "waiting" to be tried again
    The source takes the id out of the active list and pushes it to "waiting" for a retry. BullMQ has no such key: the job is in no state, it is never tried again, and its worker goes on holding it.
    Fail the job by BullMQ's own operation, restart the worker that holds it, and retry it.

    Given jobs are submitted at 5 per second
    When a job comes in that does not end the first time
    And that job is moved to "waiting" as the runbook writes it
    Then for 6 seconds jobs lie in "waiting", where no worker looks, and are not completed
    And the jobs in "waiting" are written down
    When the recovery playbook "queue/rescue_stranded_jobs" is run
    And the recovery playbook "queue/retry_stuck_jobs" is run
    Then within 30 seconds no job lies in "waiting"
    And within 60 seconds that job is completed
    And within 60 seconds 3 workers are connected to the queue
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %

  @row:Q9 @as-written @finding:S2-3.3 @finding:S2-4.2 @accepts-data-loss:8 @not-repeatable @runbook:queue.md#roll-the-queues-code-back
  Scenario: The failed jobs are cleaned away before the code goes back
    S2-4.2: the source stops the workers, cleans all failed jobs away, and only then brings the code back. These jobs were acknowledged, and the failed ones are the only copy: each is lost.
    Roll back first, and then try the failed jobs once more; none is lost.
    S2-3.3: the source reads the error rate off `grep ERROR LOG | wc -l`. That is a count since the log began and no rate: 0 where the level is spelled otherwise, and where it is not, it stays when nothing fails any more.
    Ask the queue: those that failed among those that ended in the last seconds.

    When a release of the queue's code with a fault in it goes live, and 40 jobs come in
    Then within 60 seconds 8 jobs are failed
    And the latest failed jobs are written down
    And the lines with ERROR in the logs of the workers are 0
    And the lines with an error of any spelling are at least 5
    When the recovery playbook "queue/as_written/clean_and_roll_back" is run
    Then within 60 seconds 0 jobs are failed
    And within 60 seconds at most 2 % of the jobs fail
    And the lines with an error of any spelling are as many as before the recovery, or more
    And within 2 minutes 20 new jobs are completed, and only what was accepted is lost

  @row:Q9 @as-written @finding:S2-4.2-drain @runbook:queue.md#roll-the-queues-code-back
  @runbook:queue.md#retry-a-stuck-job
  Scenario: The workers are stopped before their jobs have ended
    The source stops all workers, and then waits until the active jobs have ended. No worker is left that could end them: a job that takes longer than the process manager waits for its worker stays active, and whoever waits for it waits for ever.
    Pause the queue, wait until what was begun has ended, and stop the workers then.

    When a job comes in that does not end the first time
    And no worker runs
    Then within 60 seconds no worker is connected to the queue
    And for 3 seconds that job stays active, although no worker is left that could end it
    When the recovery playbook "queue/start_workers" is run
    And the recovery playbook "queue/retry_stuck_jobs" is run
    Then within 60 seconds 3 workers are connected to the queue
    And within 60 seconds that job is completed

  @row:Q1 @runbook:queue.md#let-another-worker-stand-in
  Scenario: A worker on Node ends what workers in Python have begun
    Given the worker on Node is installed
    And jobs that take 400 ms each are submitted at 8 per second
    When every worker in Python is killed
    Then within 20 seconds a job is active for more than 5 seconds
    And within 20 seconds nothing is completed any more
    And the queue's counts, its oldest active jobs and its workers are written down
    When the recovery playbook "queue/start_node_worker" is run
    Then the only worker of the queue is the one on Node
    And within 60 seconds no job is active for more than 5 seconds
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs
