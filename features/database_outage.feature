@runbook:database.md @severity:P0 @rto:10m
Feature: The database is away, or lets nobody in
  The API cannot read or write what users make. What had been committed is there again when it is over.

  Background:
    Given the system is healthy

  @row:B1 @runbook:database.md#start-the-database
  Scenario: The database dies
    Given what each table holds is known
    When the database is killed
    Then within 30 seconds the API is not ready because of the database
    And within 30 seconds the API reports "database" as down
    And within 30 seconds the API names "refused" as the reason why "database" is down
    And within 30 seconds whoever looks up what is not cached is told 503
    And the API is alive all the time
    When the recovery playbook "database/start" is run
    Then within 60 seconds the API is ready
    And within 60 seconds the API reports "database" as up
    And within 60 seconds whoever looks up what is not cached is told 200
    And within 60 seconds the database takes writes
    And each table holds what it held before

  @row:B4 @runbook:database.md#put-the-settings-right
  Scenario: A deployment brings a wrong password of the database
    When a deployment starts the API with "not-the-right-one" as the password in its "DATABASE_URL"
    Then within 30 seconds the API is not ready because of the database
    And within 30 seconds the API names "auth" as the reason why "database" is down
    And within 30 seconds whoever looks up what is not cached is told 503
    And "DATABASE_URL" in the environment of the API is not what the vault has
    And within 30 seconds a new session of the application is refused with "password authentication failed"
    When the recovery playbook "database/put_settings_right" is run
    Then within 60 seconds the API is ready
    And "DATABASE_URL" in the environment of the API is what the vault has
    And within 60 seconds a new session of the application is accepted
    And within 60 seconds the API reports "database" as up
    And within 60 seconds whoever looks up what is not cached is told 200

  @row:B2 @runbook:database.md#end-idle-sessions
  Scenario: The database has no session left
    Given jobs are submitted at 10 per second
    When a leak takes up every session of the database, and the API is started anew
    Then within 30 seconds the API is not ready because of the database
    And within 30 seconds the API names "limit" as the reason why "database" is down
    And within 30 seconds a new session of the application is refused with "remaining connection slots are reserved"
    And within 30 seconds at least 10 sessions have leaked, and all are idle for too long
    And the sessions of the database are written down, by their programs and states
    And the sessions in which the application works are known
    When the recovery playbook "database/end_idle_sessions" is run
    Then within 60 seconds the API is ready
    And within 60 seconds a new session of the application is accepted
    And within 60 seconds no session has been idle for too long
    And the sessions in which the application works were left alone
    And within 60 seconds the API reports "database" as up
    And within 60 seconds whoever looks up what is not cached is told 200
    And within 60 seconds every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %

  @row:B2 @as-written @finding:S3-2-idle-sessions @runbook:database.md#end-idle-sessions
  Scenario: The runbook's rule spares a leak that never asked anything
    S3-2-idle-sessions: the source ends sessions that are idle and whose `query_start` is older than an hour. A session that never asked anything has no `query_start`: the rule never finds it, and the database stays full.
    Take `state_change`, the moment at which the session fell silent.

    When a leak takes up every session of the database without asking anything, and the API is started anew
    Then within 30 seconds the API names "limit" as the reason why "database" is down
    And within 30 seconds at least 10 sessions have leaked, and all are idle for too long
    And the runbook's rule finds none of them
    When the recovery playbook "database/end_idle_sessions" is run
    Then within 60 seconds the API is ready
    And within 60 seconds no session has been idle for too long
    And within 60 seconds a new session of the application is accepted

  @row:B3 @accepts-data-loss:0 @runbook:database.md#make-room-on-the-disk
  Scenario: The disk of the database is full
    Given at most 1000 MB are free on the disk of the database
    And what each table holds is known
    And 20 jobs have been done
    When a file that somebody left fills the disk of the database
    Then within 60 seconds a write that needs room is refused with "No space left on device"
    And 100 % of the disk of the database are taken
    When the recovery playbook "database/free_disk" is run
    Then within 60 seconds a write that needs room is taken
    And within 60 seconds the database takes writes
    And projects and scenes hold what they held before
    And within 60 seconds every acknowledged job is completed exactly once

  @row:B3 @accepts-data-loss:0 @runbook:database.md#make-room-on-the-disk
  Scenario: The WAL finds no room, and the server ends
    Given at most 1000 MB are free on the disk of the database
    And 20 jobs have been done
    And what each table holds is known
    When a file that somebody left fills the disk of the database, and the WAL finds no room
    Then within 30 seconds the API is not ready because of the database
    And within 30 seconds the API names "refused" as the reason why "database" is down
    And within 30 seconds the server has ended by itself, with "No space left on device"
    And 100 % of the disk of the database are taken
    When the recovery playbook "database/free_disk" is run
    Then within 60 seconds the API is ready
    And within 60 seconds the database takes writes
    And within 60 seconds a write that needs room is taken
    And each table holds what it held before
    And within 60 seconds every acknowledged job is completed exactly once

  @row:B3 @as-written @finding:S3-2.3 @runbook:database.md#make-room-on-the-disk
  Scenario: The WAL is deleted by hand to make room
    S3-2.3: the source makes room with "clean old WAL files". What lies in pg_wal is what the server needs to start: without it the next start ends with "could not locate a valid checkpoint record", and what was not archived is lost.
    Delete what is not the database's, or enlarge the disk; never touch pg_wal.

    Given each project is known
    When the files of the WAL are deleted by hand, and the server is started anew
    Then within 60 seconds the API is not ready because of the database
    And the server lacks the WAL that it needs to start
    When the recovery playbook "database/restore_to_a_time" is run for the latest moment
    Then within 60 seconds the API is ready
    And within 60 seconds the database takes writes
    And what users wrote since the WAL was last archived is lost
    And 5 projects differ from before, those that users have written since
