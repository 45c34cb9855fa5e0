@runbook:database.md @severity:P0 @rto:15m
Feature: What is in the database is wrong, and Barman has it
  The same damage and the same criteria as with a dump and with plain WAL, and the tool that many use for both.

  Background:
    Given the system is healthy
    And Barman can be used

  @row:B6 @accepts-data-loss:20 @runbook:database.md#restore-with-barman
  Scenario: The server is restored from Barman's backup of the night
    When a bad migration spoils projects and scenes after Barman's backup of the night, and 20 jobs come in
    Then within 60 seconds 20 projects are empty
    And within 60 seconds 200 scenes belong to no project
    And the moment of the damage is written down
    And the 20 jobs that came in are done
    And what Barman has is written down
    When the recovery playbook "database/restore_by_barman" is run
    Then within 5 minutes 0 projects are empty
    And within 5 minutes 0 scenes belong to no project
    And the database refuses a scene without a project
    And projects and scenes are what the newest backup has, row for row
    And the newest write that survived is at most 2 minutes older than the damage
    And within 5 minutes the API is ready
    And within 5 minutes the database takes writes
    And within 5 minutes 20 new jobs are completed, and only what was accepted is lost

  @row:B7 @runbook:database.md#restore-with-barman
  Scenario: The server is restored by Barman to the moment before the damage
    Given each project is known
    When a bad update empties projects between writes of users, after Barman's backup of the night
    Then within 60 seconds 20 projects are empty
    And the moment of the damage is written down
    And what Barman has is written down
    When the recovery playbook "database/restore_by_barman" is run for the moment before the damage
    Then within 5 minutes 0 projects are empty
    And the 5 projects that users wrote after the backup are as they left them
    And what users wrote after the damage is not there
    And 10 projects differ from before, those that users have written since
    And the newest write that survived is at most 5 seconds older than the damage
    And within 5 minutes the API is ready
    And within 5 minutes the database takes writes
