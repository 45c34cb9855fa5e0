@runbook:database.md @severity:P0 @rto:15m
Feature: What is in the database is wrong
  It answers, and what it answers is not what users wrote. A backup has it, as it was when the backup was taken.

  Background:
    Given the system is healthy

  @row:B6 @accepts-data-loss:20 @runbook:database.md#restore-the-backup
  Scenario: The database is restored from the backup of the night
    When a bad migration spoils projects and scenes after the backup of the night, and 20 jobs come in
    Then within 60 seconds 20 projects are empty
    And within 60 seconds 200 scenes belong to no project
    And the moment of the damage is written down
    And the 20 jobs that came in are done
    When the recovery playbook "database/restore_backup" is run
    Then within 60 seconds 0 projects are empty
    And within 60 seconds 0 scenes belong to no project
    And the database refuses a scene without a project
    And projects and scenes are what the newest backup has, row for row
    And the newest write that survived is at most 2 minutes older than the damage
    And within 60 seconds the API is ready
    And within 60 seconds the database takes writes
    And within 60 seconds 20 new jobs are completed, and only what was accepted is lost

  @row:B8 @runbook:database.md#restore-single-rows
  Scenario: Some rows are wrong, and all others are newer than the backup
    Given each project is known
    When a bad update empties projects, after the backup of the night and further writes of users
    Then within 60 seconds 20 projects are empty
    When the recovery playbook "database/restore_rows" is run for the rows of "projects" where "content = ''"
    Then within 60 seconds 0 projects are empty
    And 10 projects differ from before, those that users have written since
    And the 5 projects that users wrote after the backup are as they left them

  @row:B9 @as-written @finding:S2-11.2 @not-repeatable @runbook:database.md#take-a-backup
  Scenario: The runbook's script takes failed dumps for backups
    S2-11.2: the source pipes `pg_dump` into `gzip` and asks `$?`, which is gzip's. A dump that fails is a file of 20 bytes and is called a success. Since the last ten are kept, ten such nights push every good backup out.
    Dump to another name without a pipe, read it once with `pg_restore --list`, and only then keep it and let an old one go.

    When the runbook's script takes a backup on 10 nights, and the database refuses it
    Then the script calls each of the 10 nights a success
    And of the 10 files that the script has kept none can be restored
    When the recovery playbook "database/back_up" is run
    Then within 60 seconds a backup taken since can be restored

  @row:B9 @not-repeatable @runbook:database.md#take-a-backup
  Scenario: The backup is refused night after night, and says so
    When the backup is taken on 10 nights, and the database refuses it
    Then the backup calls each of the 10 nights a failure
    And each of the 10 backups from before can be restored
    When the recovery playbook "database/back_up" is run
    Then within 60 seconds a backup taken since can be restored

  @row:B9 @as-written @finding:S2-5.1-restore @accepts-data-loss:0 @runbook:database.md#restore-the-backup
  Scenario: The backup is restored over the database that serves
    S2-5.1-restore: the source drops the database, creates it and feeds the dump to `psql`. While anybody is connected the drop is refused, and the dump then runs into the tables that are there: wrong rows stay, tables without a key have each row twice, and psql ends with status 0.
    Restore beside it, compare, and rename.

    Given 20 jobs have been done
    When a bad update empties projects, after the backup of the night and further writes of users
    And the backup is restored over the database that serves, as the runbook writes it
    Then within 60 seconds 20 projects are empty
    And the runbook's restore ended with status 0, after at least 5 errors
    And within 60 seconds 20 jobs have been done twice, as the database has it
    When the recovery playbook "database/restore_backup" is run
    Then within 60 seconds 0 projects are empty
    And projects and scenes are what the newest backup has, row for row
    And within 60 seconds every acknowledged job is completed exactly once

  @row:B7 @runbook:database.md#restore-to-a-moment
  Scenario: The database is restored to the moment before the damage
    Given each project is known
    When a bad update empties projects between writes of users, after the base backup of the night
    Then within 60 seconds 20 projects are empty
    And the moment of the damage is written down
    When the recovery playbook "database/restore_to_a_time" is run for the moment before the damage
    Then within 60 seconds 0 projects are empty
    And the 5 projects that users wrote after the backup are as they left them
    And what users wrote after the damage is not there
    And 10 projects differ from before, those that users have written since
    And the newest write that survived is at most 5 seconds older than the damage
    And within 60 seconds the API is ready
    And within 60 seconds the database takes writes

  @row:B5 @runbook:database.md#take-a-migration-back
  Scenario: A migration is applied that the release in service does not fit
    Given jobs are submitted at 5 per second
    And what each table holds is known
    When a bad migration is applied
    Then within 60 seconds users are shown no projects
    When the recovery playbook "database/take_migration_back" is run
    Then within 60 seconds users are shown projects
    And projects and scenes hold what they held before
    And within 60 seconds a backup taken since can be restored
    And within 60 seconds maintenance is over, and the queue is not paused
    And within 60 seconds every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
