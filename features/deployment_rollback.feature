@runbook:deployment.md @severity:P0 @rto:5m
Feature: A bad release is rolled back
  A rollback is done when users are served the good release, without errors and as fast as before. That the deployment
  ended well says nothing of it.

  Background:
    Given the system is healthy
    And users are served release "1.1.0"

  @row:D15 @rto-from:symptom_observed @runbook:deployment.md#roll-back
  Scenario: A good release, a bad one, and back
    When release "v1.1.1" goes live, and after it one that answers with errors
    Then within 60 seconds users are served release "1.2.0"
    And within 60 seconds more than 10 % of the requests end in an error
    And the release that is served, its errors and its answers' time are written down
    When the recovery playbook "deployment/roll_back" is run, back to release "v1.1.1"
    Then within 60 seconds users are served release "1.1.1" alone, for 2 seconds
    And within 60 seconds at most 1 % of the requests end in an error
    And within 60 seconds 95 % of the requests are answered within 300 ms
    And within 60 seconds 95 % of the requests are answered as fast as before, within 20 % or 100 ms
    And the release that is served, its errors and its answers' time are written down

  @row:A4 @runbook:deployment.md#roll-back
  Scenario: A release does not start
    When a release that does not start goes live
    Then within 60 seconds users are not answered
    When the recovery playbook "deployment/roll_back" is run
    Then within 60 seconds users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds at most 1 % of the requests end in an error
    And within 60 seconds 95 % of the requests are answered within 300 ms
    And within 60 seconds 95 % of the requests are answered as fast as before, within 20 % or 100 ms

  @row:D1 @rto:2m @runbook:deployment.md#promote-the-deployment-from-before
  Scenario: The deployment from before is promoted
    When a release that answers with errors goes live
    Then within 60 seconds more than 10 % of the requests end in an error
    And the release that is served, its errors and its answers' time are written down
    When the recovery playbook "deployment/promote" is run
    Then within 60 seconds users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds at most 1 % of the requests end in an error
    And within 60 seconds 95 % of the requests are answered within 300 ms
    And within 60 seconds 95 % of the requests are answered as fast as before, within 20 % or 100 ms

  @row:D5 @row:P2 @row:P3 @rto:15m @runbook:deployment.md#emergency-rollback
  @runbook:verification.md#write-the-state-down @runbook:verification.md#the-ladder
  Scenario: A slow release is rolled back in eight steps
    Given jobs are submitted at 5 per second
    When a release that is slow goes live
    Then within 60 seconds more than 5 % of the requests take longer than 300 ms
    And the release that is served, its errors and its answers' time are written down
    And the state before anything is changed is written down
    When the recovery playbook "deployment/emergency_roll_back" is run
    Then within 2 minutes users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds 95 % of the requests are answered within 300 ms
    And within 60 seconds 95 % of the requests are answered as fast as before, within 20 % or 100 ms
    And within 60 seconds at most 1 % of the requests end in an error
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 2 minutes every acknowledged job is completed exactly once
    And the immediate checks hold
    And the functional checks pass
    And the extended checks hold
    And the metrics are on target

  @row:D5 @row:A2 @runbook:deployment.md#roll-back
  Scenario: A release leaks memory
    When a release that leaks memory goes live
    Then within 60 seconds the API uses at least 30 MB more memory than before
    When the recovery playbook "deployment/roll_back" is run
    Then within 60 seconds users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds at most 1 % of the requests end in an error
    And the API's memory is back to its baseline within 20 %

  @row:D11 @runbook:deployment.md#a-release-does-not-build
  Scenario: A release does not build
    When a commit that does not build is pushed
    Then within 60 seconds the newest commit is not built
    And users are served release "1.1.0" all the time
    When the hotfix "fix/build" is deployed
    Then within 60 seconds users are served release "1.2.1" alone, for 2 seconds
    And within 60 seconds at most 1 % of the requests end in an error

  @row:D4 @rto:20m @runbook:deployment.md#switch-a-feature-off
  Scenario: One feature is broken, and is switched off
    When a release that answers no search goes live
    Then within 60 seconds "search" is not answered
    And within 60 seconds more than 5 % of the requests end in an error
    When the feature "ranked-search" is switched off
    Then within 60 seconds "search" is answered
    And within 60 seconds at most 1 % of the requests end in an error
    And within 60 seconds users are served release "1.2.0" alone, for 2 seconds

  @row:D4 @rto:20m @runbook:deployment.md#deploy-a-hotfix
  Scenario: One feature is broken, and a hotfix is deployed
    When a release that answers no search goes live
    Then within 60 seconds "search" is not answered
    When the hotfix "fix/search" is deployed
    Then within 60 seconds users are served release "1.2.1" alone, for 2 seconds
    And within 60 seconds "search" is answered
    And within 60 seconds at most 1 % of the requests end in an error

  @row:B10 @runbook:deployment.md#a-migration-and-its-code-do-not-fit
  Scenario: A migration and its code do not fit, and a hotfix is deployed
    When a release that does not fit its own migration goes live
    Then within 60 seconds "projects" is not answered
    And within 60 seconds more than 10 % of the requests end in an error
    When the hotfix "fix/migration" is deployed
    Then within 60 seconds users are served release "1.2.1" alone, for 2 seconds
    And within 60 seconds "projects" is answered
    And within 60 seconds at most 1 % of the requests end in an error

  @row:B10 @row:P3 @runbook:deployment.md#a-migration-and-its-code-do-not-fit @runbook:verification.md#the-ladder
  Scenario: A migration and its code do not fit, and both are rolled back
    Given jobs are submitted at 5 per second
    When a release that does not fit its own migration goes live
    Then within 60 seconds "projects" is not answered
    And within 60 seconds 1 migration is applied
    When the recovery playbook "deployment/roll_back_with_database" is run
    Then within 60 seconds users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds "projects" is answered
    And within 60 seconds 0 migrations are applied
    And within 60 seconds at most 1 % of the requests end in an error
    And every rung of the ladder holds, up to the metrics

  @row:B10 @as-written @finding:S2-11.1-migration @runbook:deployment.md#a-migration-and-its-code-do-not-fit
  Scenario: The code alone is rolled back
    The source brings the code back and asks nobody what the release has done to the database: the good release meets a table that it does not know.
    Deploy a hotfix, or roll code and database back together.

    When a release that does not fit its own migration goes live
    And its code alone is rolled back
    Then within 60 seconds "projects" is not answered, although users are served release "1.1.0"
    And within 60 seconds more than 10 % of the requests end in an error
    And the release that is served, its errors and its answers' time are written down
    When the recovery playbook "deployment/roll_back_with_database" is run
    Then within 60 seconds "projects" is answered
    And within 60 seconds at most 1 % of the requests end in an error

  @row:D5 @as-written @finding:S2-11.1-HEAD @finding:S2-11.1-pause @rto:15m @runbook:deployment.md#emergency-rollback
  Scenario: The emergency script goes back by one commit
    S2-11.1-HEAD: the source takes HEAD~1 for the stable release. A bad release of two commits is bad there, too, and the script says that the rollback is completed.
    Go back to the release that somebody has named stable, and look at what users are served.
    S2-11.1-pause: the source pauses the queues by a curl without a key and without -f. It is refused with 401, curl ends with 0, the warning is not printed, and jobs are handed out all the time.
    Pause by a command that fails when it was refused, and look at the queue.

    Given jobs are submitted at 5 per second
    When a release that is slow is live as a checkout, and "emergency-rollback.sh" is run there as the runbook writes it
    Then within 2 minutes the script has said "ROLLBACK COMPLETED"
    And within 2 minutes the script has said "X-API-Key is missing or wrong"
    And within 2 minutes users are served release "1.2.0"
    And within 2 minutes more than 5 % of the requests take longer than 300 ms
    And no look at the queue finds it paused
    And the release that is served, its errors and its answers' time are written down
    When the recovery playbook "deployment/emergency_roll_back" is run
    Then within 2 minutes users are served release "1.1.0" alone, for 2 seconds
    And within 2 minutes 95 % of the requests are answered within 300 ms
    And within 2 minutes every acknowledged job is completed exactly once

  @row:D5 @as-written @finding:S2-11.1-dirty @rto:15m @runbook:deployment.md#emergency-rollback
  Scenario: The emergency script meets a checkout that somebody has changed
    The source pauses the queues and then checks the stable release out. Git refuses where a file was changed by hand, the script ends there, and the queues stay paused: users are served the bad release, and no job is done.
    Lay releases out in folders of their own; and resume the queues, or say that they are paused.

    Given jobs are submitted at 5 per second
    When a release that is slow is live as a checkout with a change in it, and "emergency-rollback.sh v1.1.0" is run there as the runbook writes it, with the key of the API
    Then within 2 minutes the script has said "would be overwritten by checkout"
    And within 2 minutes the queue is paused
    And within 2 minutes 10 more jobs wait than before
    And within 2 minutes users are served release "1.2.0"
    When the recovery playbook "deployment/emergency_roll_back" is run
    Then within 2 minutes users are served release "1.1.0" alone, for 2 seconds
    And within 2 minutes jobs are processed as fast as they are submitted, within 10 %
    And within 2 minutes every acknowledged job is completed exactly once

  @row:D5 @as-written @finding:S2-4.2-checkout @runbook:deployment.md#roll-back
  Scenario: One folder goes back
    The source brings one folder back with git checkout COMMIT -- FOLDER. What then runs is a mix of two releases under the name of the bad one: nobody can say what is served, nor get it again.
    Roll whole releases back.

    When a release that answers with errors is live as a checkout, and "checkout-folder.sh v1.1.0" is run there as the runbook writes it
    Then within 2 minutes the script has said "built 1.2.0"
    And within 2 minutes users are served release "1.2.0" alone, for 1 second
    And the release that is served, its errors and its answers' time are written down
    When the recovery playbook "deployment/roll_back" is run
    Then within 2 minutes users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds at most 1 % of the requests end in an error

  @row:D5 @as-written @finding:S2-11.1-wait @rto:15m @runbook:deployment.md#emergency-rollback
  Scenario: The emergency script goes back to a release that starts late
    The source waits for 15 seconds, looks once whether the API is healthy, and ends where it is not: with the queues paused. A good release that needs 17 seconds counts as a failure, and no job is done until somebody notices.
    Wait until the release is served, for as long as it may take, and then resume the queues.

    Given jobs are submitted at 5 per second
    When a release that follows one that starts late is live as a checkout, and "emergency-rollback.sh" is run there as the runbook writes it, with the key of the API
    Then within 2 minutes the script has said "Health check failed"
    And within 2 minutes users are served release "1.1.2" alone, for 1 second
    And within 2 minutes the queue is paused
    And within 2 minutes 10 more jobs wait than before
    When the recovery playbook "deployment/emergency_roll_back" is run
    Then within 2 minutes jobs are processed as fast as they are submitted, within 10 %
    And within 2 minutes users are served release "1.1.0" alone, for 2 seconds
    And within 2 minutes every acknowledged job is completed exactly once
