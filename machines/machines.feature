@runbook:machines.md @severity:P0 @rto:10m
Feature: A machine, or the network between two, is away
  These drills need machines of their own, with systemd and root: drillbook lab up --staging hosts.

  Background:
    Given the system is healthy

  @runbook:machines.md#a-machine-has-booted-and-its-service-has-not
  Scenario: The machines of Redis boot anew, and Redis does not start with them
    Given jobs are submitted at 5 per second
    When every machine of Redis boots anew, and Redis does not start with it
    Then within 60 seconds the API reports "redis" as down
    And within 60 seconds new jobs are kept in memory
    And Redis takes no writes for 5 seconds
    When the recovery playbook "redis/start" is run
    Then within 60 seconds the API reports "redis" as up
    And within 60 seconds Redis takes writes
    And within 60 seconds every other Redis node follows the primary
    And within 60 seconds the memory buffer is empty
    And within 60 seconds 3 workers are connected to the queue
    And within 2 minutes every acknowledged job is completed exactly once

  @runbook:machines.md#the-kernel-has-killed-a-service
  Scenario: The kernel kills the API for want of memory
    Given users look items up
    And jobs are submitted at 25 per second
    When the kernel kills the API when it has taken 200 MB of memory
    Then within 20 seconds the decision table says "roll back now", with severity "P0", by the rule "api-down"
    When the recovery playbook "api/start" is run
    Then within 60 seconds the API is ready
    And within 60 seconds the API calls itself "ok"
    And within 60 seconds every acknowledged job is completed exactly once

  @runbook:machines.md#let-packets-pass
  Scenario: Packets from the API to Redis take longer than it waits
    Given jobs are submitted at 5 per second
    When each packet from "api" to "redis" takes 5 seconds
    Then within 60 seconds the API reports "redis" as down
    And within 60 seconds the API names "timeout" as the reason why "redis" is down
    And within 60 seconds new jobs are kept in memory
    When the recovery playbook "network/let_packets_pass" is run
    Then within 60 seconds the API reports "redis" as up
    And within 60 seconds the memory buffer is empty
    And Redis answers the API within 5 ms for 5 seconds
    And within 2 minutes every acknowledged job is completed exactly once

  @self-healing @self-healing-off:sentinels_stopped @runbook:machines.md#a-machine-is-cut-off
  Scenario: The cable of the Redis primary is pulled, and a replica takes over
    Given jobs are submitted at 5 per second
    When the cable of the machine with the Redis primary is pulled
    Then within 20 seconds Redis takes no writes
    And within 30 seconds the API reports "redis" as down
    When the system is left to itself
    Then within 60 seconds another node is the primary
    And within 60 seconds Redis takes writes
    And within 60 seconds the API reports "redis" as up
    And within 60 seconds the memory buffer is empty
