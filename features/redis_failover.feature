@runbook:redis.md @severity:P0 @rto:10m
Feature: Redis fails over
  Redis holds the queue and the cache. Its loss must be seen, survived without losing a job, and recovered from
  within ten minutes.

  Background:
    Given the system is healthy
    And jobs are submitted at 50 per second

  @row:R1 @row:R7 @runbook:redis.md#restore-the-network
  Scenario: The network between the API and Redis is cut
    When the network between "api" and "redis" is cut
    Then within 30 seconds the API reports "redis" as down
    And the API names "timeout" as the reason why "redis" is down
    And within 30 seconds the circuit breaker is open
    And within 60 seconds an alert about "redis" reaches the "#alerts" channel
    And within 60 seconds new jobs are kept in memory
    And within 60 seconds new jobs are refused with 503 and a time to retry
    When the recovery playbook "redis/restore_network" is run
    Then within 10 minutes the API reports "redis" as up
    And within 60 seconds the circuit breaker is closed
    And within 60 seconds the memory buffer is empty
    And within 2 minutes every acknowledged job is completed exactly once
    And within 60 seconds the all-clear about "redis" reaches the "#alerts" channel
    And within 60 seconds jobs are processed at the rate of before, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 20 jobs
    And Redis answers the API within 5 ms for 5 seconds
    And no job is refused or left unanswered for 5 seconds
    And the API's memory is back to its baseline within 10 %
