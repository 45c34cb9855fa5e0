@runbook:containers.md @severity:P0 @rto:5m
Feature: A container of the API has ended, cannot start, or is one of a bad image
  The API runs as a service of a Compose project. Its engine says whether its container runs, and how it ended.

  Background:
    Given the system is healthy
    And the container of the API is healthy

  @row:A1 @runbook:containers.md#a-container-has-crashed
  Scenario: The API's container crashes
    Given jobs are submitted at 10 per second
    When the process in the API's container dies
    Then within 30 seconds the container of the API has ended with 137
    And within 30 seconds users are not answered
    And what the engine says of the container of the API is written down
    When the recovery playbook "containers/start" is run
    Then within 60 seconds the API is ready
    And within 60 seconds the container of the API is healthy
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 2 minutes every acknowledged job is completed exactly once

  @row:A2 @runbook:containers.md#no-memory-is-left
  Scenario: The API's container has no memory left
    Given users are served release "1.1.0"
    When the image "leaks-memory" of the API goes live
    Then within 2 minutes the container of the API was killed for lack of memory
    And within 30 seconds users are not answered
    And what the engine says of the container of the API is written down
    When the recovery playbook "containers/roll_back_image" is run
    Then within 60 seconds users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds the container of the API uses at most 50 % of its memory
    And within 60 seconds the container of the API is healthy
    And within 60 seconds the API is ready

  @row:A3 @runbook:containers.md#the-port-is-taken
  Scenario: The port of the API is taken
    When another process takes the port of the API while it is started anew
    Then within 30 seconds the port of the API is taken, and not by its container
    And within 30 seconds the container of the API has said "address already in use"
    And within 30 seconds users are not answered
    When the recovery playbook "containers/free_port" is run
    Then within 60 seconds the API is ready
    And within 60 seconds the container of the API is healthy
    And within 60 seconds users are served release "1.1.0" alone, for 2 seconds

  @row:D7 @runbook:containers.md#roll-the-image-back
  Scenario: A bad image is rolled back by its tag
    Given users are served release "1.1.0"
    When the image "answers-with-errors" of the API goes live
    Then within 60 seconds users are served release "1.2.0"
    And within 60 seconds more than 10 % of the requests end in an error
    And the release that is served, its errors and its answers' time are written down
    When the recovery playbook "containers/roll_back_image" is run
    Then within 60 seconds users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds at most 1 % of the requests end in an error
    And within 60 seconds 95 % of the requests are answered within 300 ms
    And within 60 seconds the container of the API is healthy

  @row:D8 @row:B6 @rto:15m @accepts-data-loss:20 @runbook:containers.md#roll-image-and-database-back-together
  Scenario: A bad image and what it did to the database are rolled back
    Given users are served release "1.1.0"
    When a bad migration spoils projects and scenes after the backup of the night, and 20 jobs come in
    And the image "answers-with-errors" of the API goes live
    Then within 60 seconds users are served release "1.2.0"
    And within 60 seconds 20 projects are empty
    And the 20 jobs that came in are done
    When the recovery playbook "containers/roll_back_with_database" is run
    Then within 60 seconds users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds 0 projects are empty
    And within 60 seconds 0 scenes belong to no project
    And projects and scenes are what the newest backup has, row for row
    And within 60 seconds at most 1 % of the requests end in an error
    And within 60 seconds the container of the API is healthy
    And within 60 seconds 20 new jobs are completed, and only what was accepted is lost
