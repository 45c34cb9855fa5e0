@runbook:frontend.md @severity:P1 @rto:5m
Feature: A bad release of the frontend is rolled back
  A page and its files lie in a CDN. A rollback is done when no browser gets anything of the bad release from there.

  Background:
    Given the system is healthy
    And browsers load release "1.1.0" of the frontend

  @row:D6 @row:P3 @runbook:frontend.md#roll-the-frontend-back @runbook:frontend.md#success-criteria @runbook:verification.md#the-ladder
  Scenario: A bad release of the frontend is live, and in the CDN
    Given jobs are submitted at 5 per second
    When a release that breaks the search goes live in the frontend
    Then within 10 seconds browsers load release "1.2.0" of the frontend
    And the files of that release, and how long the CDN keeps its page, are written down
    When the recovery playbook "frontend/roll_back" is run
    Then within 60 seconds browsers load release "1.1.0" of the frontend
    And within 60 seconds browsers load release "1.1.0" of the frontend alone, with all its files, for 2 seconds
    And within 60 seconds no file of the bad release is served any more
    And every rung of the ladder holds, up to the metrics

  @row:D6 @as-written @finding:S2-4.4 @runbook:frontend.md#roll-the-frontend-back
  Scenario: The frontend is copied over the bad release, and the CDN not purged
    The source copies the stable build over the web server's folder, and clears the CDN "if applicable". The origin serves the stable page at once, but browsers go on loading the bad one for as long as the CDN may keep it, here a minute. The files of the bad release stay at the origin for good.
    Switch to the folder of the stable release, and then purge the CDN.

    When a release that breaks the search goes live in the frontend, and the stable one is copied over it
    Then the origin serves release "1.1.0" of the frontend
    And for 3 seconds browsers load release "1.2.0" of the frontend all the same
    And the files of that release, and how long the CDN keeps its page, are written down
    And within 60 seconds the origin serves every file of the bad release all the same
    When the recovery playbook "frontend/roll_back" is run
    Then within 60 seconds browsers load release "1.1.0" of the frontend
    And within 60 seconds browsers load release "1.1.0" of the frontend alone, with all its files, for 2 seconds
    And within 60 seconds no file of the bad release is served any more
