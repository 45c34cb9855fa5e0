@runbook:alerting.md @severity:P1 @rto:10m
Feature: Prometheus and Alertmanager tell people
  Somebody is told of an outage within a minute, and told again when it is over. What nobody sees is no good news.

  Background:
    Given the system is healthy
    And Prometheus and Alertmanager can be used

  @row:B1 @runbook:alerting.md#an-alert-fires
  Scenario: The database dies, and Prometheus tells it
    When the database is killed while Prometheus watches it
    Then within 30 seconds the API is not ready because of the database
    And within 60 seconds an alert about "the database is down" reaches the "#alerts" channel
    And what Prometheus says of its rules is written down
    When the recovery playbook "database/start" is run
    Then within 60 seconds the API is ready
    And within 60 seconds the all-clear about "the database is down" reaches the "#alerts" channel
    And within 60 seconds no rule of Prometheus fires

  @row:B1 @as-written @finding:S1-alert @runbook:alerting.md#miss-what-goes-away
  @runbook:alerting.md#take-the-figure-in-again
  Scenario: The figure of a rule goes away, and the database dies untold
    The source asks for an alert within 60 s, and its rules compare figures: `component_up == 0`. Where Prometheus has no such figure any more, there is nothing to compare, and the rule never fires. Prometheus calls it healthy, and the API up.
    For each figure that a rule is about, a second rule fires while there is none: `absent(component_up)`.

    When the database is killed while Prometheus drops the figure "component_up", and no rule misses it
    Then within 30 seconds the API is not ready because of the database
    And for 20 seconds the API is not ready, Prometheus calls the rule "database_down" healthy, and nobody is told in "#alerts"
    And what Prometheus says of its rules is written down
    When the recovery playbook "alerting/miss_figures" is run
    Then within 60 seconds an alert about "no figure of component_up" reaches the "#alerts" channel
    When the recovery playbook "alerting/keep_figures" is run
    Then within 60 seconds an alert about "the database is down" reaches the "#alerts" channel
    And within 60 seconds the all-clear about "no figure of component_up" reaches the "#alerts" channel
    When the recovery playbook "database/start" is run
    Then within 60 seconds the API is ready
    And within 60 seconds the all-clear about "the database is down" reaches the "#alerts" channel
    And within 60 seconds no rule of Prometheus fires
