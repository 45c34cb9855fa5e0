@rto:1m
Feature: Web

  Scenario: It breaks and is fixed
    Given the service is healthy
    When the service breaks by "breakage"
    Then within 20 seconds the service is down
    When the recovery playbook "fix" is run
    Then within 20 seconds the service is up
    And the service is up for 1 second
