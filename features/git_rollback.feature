@runbook:git_rollback.md @severity:P1 @rto:10m
Feature: A bad commit is taken back
  What is pushed to the branch is deployed. A rollback by git is done when users are served what is good again, and nothing that others have pushed is lost.

  Background:
    Given the system is healthy
    And users are served release "1.1.0"

  @row:D2 @row:P3 @runbook:git_rollback.md#revert-a-commit @runbook:git_rollback.md#success-criteria @runbook:verification.md#the-ladder
  Scenario: A bad commit is reverted
    Given jobs are submitted at 5 per second
    When a commit that answers with errors is pushed
    Then within 60 seconds users are served release "1.2.0"
    And within 60 seconds browsers load release "1.2.0" of the frontend
    And within 60 seconds more than 10 % of the requests end in an error
    And what was pushed since the stable release is written down
    When the recovery playbook "git/revert" is run for the commit that answers with errors
    Then within 60 seconds users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds browsers load release "1.1.0" of the frontend
    And within 60 seconds at most 1 % of the requests end in an error
    And what was pushed since the stable release is written down
    And every rung of the ladder holds, up to the metrics

  @row:D3 @runbook:git_rollback.md#take-a-commit-out-of-the-branch
  Scenario: A bad commit is to be taken out of the branch, and a colleague has pushed meanwhile
    When a commit that answers with errors is pushed, and after it one of a colleague
    Then within 60 seconds users are served release "1.2.0"
    And within 60 seconds more than 10 % of the requests end in an error
    And what was pushed since the stable release is written down
    When the recovery playbook "git/reset_with_lease" is run for the commit that answers with errors
    Then within 60 seconds users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds at most 1 % of the requests end in an error
    And within 60 seconds the commit of the colleague is in the branch

  @row:D3 @as-written @finding:S0-3B @runbook:git_rollback.md#take-a-commit-out-of-the-branch
  Scenario: The branch is reset and pushed with force, and a colleague has pushed meanwhile
    The source resets the branch to the last good commit and pushes with force. Users are served the good release again, but what others have pushed since the engineer's last fetch is deleted with the bad commit, and git says nothing of it.
    Revert the commit. Where it has to leave the branch, push with a lease on the commit that was seen last: git refuses when somebody has pushed meanwhile.

    When a commit that answers with errors is pushed, and after it one of a colleague
    Then within 60 seconds users are served release "1.2.0"
    And within 60 seconds more than 10 % of the requests end in an error
    And within 60 seconds the commit of the colleague is in the branch
    And what was pushed since the stable release is written down
    When the recovery playbook "git/as_written/reset_and_force" is run for the commit that answers with errors
    Then within 60 seconds users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds at most 1 % of the requests end in an error
    And within 60 seconds the commit of the colleague is in no branch any more
    And what was pushed since the stable release is written down
