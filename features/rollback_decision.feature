@runbook:decision.md @severity:P1 @rto:5m
Feature: To roll back, or not
  The decision is made by a table, from what was measured, and the record says which rule fired.

  Background:
    Given the system is healthy
    And users look items up
    And jobs are submitted at 25 per second

  @row:P1 @runbook:decision.md#decide @runbook:decision.md#severity
  Scenario Outline: The table is asked about one thing that is measured
    When <incident>
    Then within 20 seconds the decision table says "<decision>", with severity "<severity>", by the rule "<rule>"
    When the recovery playbook "<playbook>" is run
    Then within 60 seconds the decision table says "nothing", with severity "none", by the rule "well"
    And within 60 seconds every acknowledged job is completed exactly once

    Examples:
      | rule                    | incident                                                   | severity | decision                                | playbook                     |
      | database-down           | the network between "api" and "database" is cut            | P0       | roll back now                           | api/reconnect_database       |
      | data-at-risk            | the network between "api" and "redis" is cut               | P0       | roll back now                           | redis/restore_network        |
      | critical-feature-broken | a bad migration is applied                                 | P1       | roll back now                           | database/take_migration_back |
      | some-errors             | the front door answers 8 % of the requests with an error   | P1       | investigate first, then maybe roll back | api/restore_front_door       |
      | few-errors              | the front door answers 3 % of the requests with an error   | P3       | monitor                                 | api/restore_front_door       |
      | wrong-display           | a release that breaks the search goes live in the frontend | P3       | hot fix                                 | frontend/roll_back           |

  @row:P1 @severity:P0 @runbook:decision.md#decide @runbook:decision.md#severity
  Scenario: Rows are in the database that no user has written
    When a bad update empties projects, after the backup of the night and further writes of users
    Then within 20 seconds the decision table says "roll back now", with severity "P0", by the rule "data-corrupted"
    When the recovery playbook "database/restore_rows" is run for the rows of "projects" where "content = ''"
    Then within 60 seconds the decision table says "nothing", with severity "none", by the rule "well"
    And within 60 seconds every acknowledged job is completed exactly once

  @row:P1 @runbook:decision.md#decide @runbook:decision.md#what-only-people-know
  Scenario Outline: The table is asked again once a person knows more
    When <incident>
    Then within 20 seconds the decision table says "<decision>", with severity "<severity>", by the rule "<rule>"
    And within 20 seconds the decision table says "<then>", with severity "<severity>", once "<fact>" is known to be so
    When the recovery playbook "<playbook>" is run
    Then within 60 seconds the decision table says "nothing", with severity "none", by the rule "well"
    And within 60 seconds every acknowledged job is completed exactly once

    Examples:
      | rule            | incident                                                  | severity | decision                                | fact                | then                   | playbook               |
      | many-errors     | the front door answers 20 % of the requests with an error | P1       | quick fix, then roll back               | quick_fix_failed    | roll back now          | api/restore_front_door |
      | twice-as-slow   | the front door delays every answer by 400 ms              | P2       | investigate first, then maybe roll back | optimisation_failed | roll back now          | api/restore_front_door |
      | slow-by-half    | the front door delays every answer by 165 ms              | P2       | investigate first, then maybe roll back | optimisation_failed | roll back now          | api/restore_front_door |
      | feature-broken  | no worker runs                                            | P2       | roll back now                           | can_disable_feature | switch the feature off | queue/start_workers    |

  @row:P1 @severity:P3 @runbook:decision.md#decide @runbook:decision.md#severity @runbook:decision.md#monitor-and-optimise
  Scenario: A release is slightly slow, and is optimised instead of rolled back
    Given users are served release "1.1.0"
    When a release that is slightly slow goes live
    Then within 20 seconds the decision table says "monitor", with severity "P3", by the rule "slightly-slow"
    And within 20 seconds users are served release "1.2.0"
    And the release that is served, its errors and its answers' time are written down
    When the hotfix "fix/slightly-slow" is deployed
    Then within 60 seconds users are served release "1.2.1" alone, for 2 seconds
    And within 60 seconds the decision table says "nothing", with severity "none", by the rule "well"
    And within 60 seconds every acknowledged job is completed exactly once

  @row:P1 @row:P2 @row:P3 @severity:P0 @runbook:decision.md#decide @runbook:verification.md#write-the-state-down
  @runbook:verification.md#start-the-api @runbook:verification.md#the-ladder
  Scenario: The API is down, and the ladder is climbed once it runs again
    When the API is killed
    Then within 20 seconds the decision table says "roll back now", with severity "P0", by the rule "api-down"
    And the state before anything is changed is written down
    When the recovery playbook "api/start" is run
    Then within 60 seconds every acknowledged job is completed exactly once
    And the immediate checks hold
    And the functional checks pass
    And the extended checks hold
    And the metrics are on target
    And the system is watched, and stays well
    And a day later the system is as well
