@runbook:storage.md @severity:P1 @rto:10m
Feature: Files in the object storage are damaged

  Background:
    Given the system is healthy
    And the object storage can be used

  @row:D13 @runbook:storage.md#bring-the-right-versions-back @runbook:storage.md#success-criteria
  Scenario: A file is overwritten, and another is deleted
    When "plans/harbour.svg" is overwritten in the object storage, and "photos/quay.txt" is deleted
    Then within 60 seconds users get 2 files of the object storage damaged, or not at all
    And what is wrong with the files of the object storage is written down
    When the recovery playbook "storage/restore_versions" is run
    Then within 60 seconds users get every file of the object storage as its checksum says, for 2 seconds
    And what is wrong with the files of the object storage is written down
