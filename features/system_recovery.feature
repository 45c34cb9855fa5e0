@runbook:system.md @severity:P0 @rto:15m
Feature: Everything is broken at once

  Background:
    Given the system is healthy
    And users are served release "1.1.0"
    And the object storage can be used

  @row:D14 @row:P3 @runbook:system.md#recover-everything @runbook:system.md#success-criteria
  Scenario: Code, database, storage and workers are recovered together
    Given jobs are submitted at 5 per second
    When a release that answers with errors goes live
    And "plans/harbour.svg" is overwritten in the object storage, and "photos/quay.txt" is deleted
    And no worker runs
    And the database is killed
    Then within 3 minutes the API names "refused" as the reason why "database" is down
    And within 3 minutes users are served release "1.2.0"
    And within 3 minutes users get 2 files of the object storage damaged, or not at all
    And within 3 minutes no worker is connected to the queue
    And what is wrong with the files of the object storage is written down
    When the recovery playbook "system/recover" is run
    Then within 2 minutes users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds the API is ready
    And within 2 minutes at most 1 % of the requests end in an error
    And within 2 minutes users get every file of the object storage as its checksum says, for 2 seconds
    And within 2 minutes 3 workers are connected to the queue
    And within 2 minutes every acknowledged job is completed exactly once
    And within 2 minutes jobs are processed as fast as they are submitted, within 10 %
    And the system is watched, and stays well
