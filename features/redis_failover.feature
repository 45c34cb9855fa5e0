@runbook:redis.md @severity:P0 @rto:10m
Feature: Redis fails over
  Redis holds the queue and the cache. Its loss must be seen, survived without losing a job, and recovered from
  within ten minutes.

  Background:
    Given the system is healthy

  @row:R1 @row:R7 @runbook:redis.md#restore-the-network @runbook:redis.md#diagnosis
  Scenario: The network between the API and Redis is cut
    Given jobs that take 40 ms each are submitted at 50 per second
    When the network between "api" and "redis" is cut
    Then within 30 seconds the API reports "redis" as down
    And within 30 seconds the API names "timeout" as the reason why "redis" is down
    And within 30 seconds the API's error log names "timeout" as the cause
    And within 30 seconds every job that was acknowledged before the fault is completed, although the API cannot reach Redis
    And within 30 seconds the circuit breaker is open
    And within 60 seconds an alert about "redis" reaches the "#alerts" channel
    And within 60 seconds new jobs are kept in memory
    And within 60 seconds new jobs are refused with 503 and a time to retry
    And what the API, the queue and Sentinel say is written down
    When the recovery playbook "redis/restore_network" is run
    Then within 10 minutes the API reports "redis" as up
    And within 60 seconds the circuit breaker is closed
    And within 60 seconds the memory buffer is empty
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds the dead-letter queue holds no more jobs than before
    And within 60 seconds the all-clear about "redis" reaches the "#alerts" channel
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 20 jobs
    And no job is refused or left unanswered for 5 seconds
    And Redis answers the API within 5 ms for 5 seconds
    And the API's memory is back to its baseline within 10 %

  @row:R2 @row:R7 @runbook:redis.md#give-access-back
  Scenario: Redis refuses the application
    Given jobs that take 200 ms each are submitted at 20 per second
    When Redis refuses the application, and 1100 jobs come in within 11 seconds
    Then within 30 seconds the API reports "redis" as down
    And within 30 seconds the API names "auth" as the reason why "redis" is down
    And within 30 seconds the API's error log names "auth" as the cause
    And within 30 seconds every job that a worker had taken is done, although Redis refuses the worker
    And within 30 seconds the circuit breaker is open
    And within 60 seconds an alert about "redis" reaches the "#alerts" channel
    And within 60 seconds new jobs are kept in memory
    And within 60 seconds new jobs are refused with 503 and a time to retry
    And what the API, the queue and Sentinel say is written down
    When the recovery playbook "redis/give_access_back" is run
    Then within 10 minutes the API reports "redis" as up
    And within 60 seconds the circuit breaker is closed
    And within 60 seconds the memory buffer is empty
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds the dead-letter queue holds no more jobs than before
    And within 60 seconds the all-clear about "redis" reaches the "#alerts" channel
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 20 jobs
    And no job is refused or left unanswered for 5 seconds
    And Redis answers the API within 5 ms for 5 seconds
    And the API's memory is back to its baseline within 10 %

  @row:R3 @row:R7 @self-healing @self-healing-off:sentinels_stopped @runbook:redis.md#forced-failover
  Scenario: The Redis primary is killed and a replica takes over
    Given jobs are submitted at 20 per second
    When the Redis primary is killed
    Then within 10 seconds Redis takes no writes
    And within 30 seconds the API reports "redis" as down
    And what the API, the queue and Sentinel say is written down
    When the system is left to itself
    Then within 60 seconds another node is the primary
    And within 60 seconds Redis takes writes
    And within 60 seconds the API reports "redis" as up
    And within 60 seconds the memory buffer is empty
    And within 2 minutes every acknowledged job is completed exactly once
    When the recovery playbook "redis/start" is run
    Then within 60 seconds the old primary follows the new one
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 20 jobs
    And no job is refused or left unanswered for 5 seconds
    And Redis answers the API within 5 ms for 5 seconds
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds the dead-letter queue holds no more jobs than before
    And the API's memory is back to its baseline within 10 %

  @row:R4 @row:R7 @runbook:redis.md#the-memory-buffer-overflows
  Scenario: The memory buffer overflows during the outage
    Given jobs are submitted at 20 per second
    When the network between "api" and "redis" is cut, and 1100 jobs come in within 11 seconds
    Then within 30 seconds the API reports "redis" as down
    And within 60 seconds the memory buffer holds 1000 jobs
    And within 60 seconds new jobs are refused with 503 and a time to retry
    And the memory buffer never holds more than 1000 jobs
    And the API's memory never exceeds 300 MB
    And the API is alive all the time
    And what the API, the queue and Sentinel say is written down
    When the recovery playbook "redis/restore_network" is run
    Then within 10 minutes the API reports "redis" as up
    And within 60 seconds the memory buffer is empty
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds the dead-letter queue holds no more jobs than before
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 20 jobs
    And no job is refused or left unanswered for 5 seconds
    And Redis answers the API within 5 ms for 5 seconds
    And the API's memory is back to its baseline within 10 %

  @row:R5 @row:R7 @row:P4 @runbook:redis.md#start-redis-by-hand @runbook:communication.md#when-it-begins
  @runbook:communication.md#while-it-runs @runbook:communication.md#when-it-is-over
  @runbook:redis.md#how-it-shows @runbook:redis.md#diagnosis @runbook:redis.md#success-criteria @runbook:redis.md#afterwards
  Scenario: Redis does not come back by itself
    Given jobs are submitted at 20 per second
    When every Redis node is killed
    Then within 30 seconds the API reports "redis" as down
    And within 30 seconds the circuit breaker is open
    And within 30 seconds the API names "refused" as the reason why "redis" is down
    And within 30 seconds the API's error log names "refused" as the cause
    And within 60 seconds an alert about "redis" reaches the "#alerts" channel
    And within 60 seconds new jobs are kept in memory
    And Redis takes no writes for 10 seconds
    And what the API, the queue and Sentinel say is written down
    When the message "initiating" is sent
    And the recovery playbook "redis/start" is run
    And the message "update" is sent
    Then within 60 seconds the message "initiating" reaches "#incidents" and "oncall@example.org"
    And within 60 seconds the message "update" reaches "#incidents" and "oncall@example.org"
    And within 10 minutes the API reports "redis" as up
    And within 60 seconds the circuit breaker is closed
    And within 60 seconds Redis takes writes
    And within 60 seconds every other Redis node follows the primary
    And within 60 seconds the memory buffer is empty
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds the dead-letter queue holds no more jobs than before
    And within 60 seconds the all-clear about "redis" reaches the "#alerts" channel
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 20 jobs
    And no job is refused or left unanswered for 5 seconds
    And Redis answers the API within 5 ms for 5 seconds
    And the API's memory is back to its baseline within 10 %
    When the message "resolved" is sent
    Then within 60 seconds the message "resolved" reaches "#incidents" and "oncall@example.org"
