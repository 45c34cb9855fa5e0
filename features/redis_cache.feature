@runbook:redis.md @severity:P1 @rto:10m
Feature: The cache is wrong
  A bad release has written wrong values into the cache. Users are served them until the cache is cleared. The queue
  lives in the same Redis: what clears the cache must not touch it, nor hold it up.

  Background:
    Given the system is healthy
    And users look items up

  @row:R11 @row:R7 @row:P4 @runbook:redis.md#clear-a-wrong-cache @runbook:communication.md#when-it-begins
  @runbook:communication.md#while-it-runs @runbook:communication.md#when-it-is-over
  Scenario: The cache serves wrong values
    Given jobs are submitted at 5 per second
    And the memory of Redis is known
    When the cache holds wrong values, and 100,000 further entries
    Then within 10 seconds users are served wrong values
    And Redis uses at least 5 MB more memory than before
    And the items that users are served wrong are written down
    When the message "initiating" is sent
    And the recovery playbook "cache/delete_by_pattern" is run
    And the message "update" is sent
    Then within 60 seconds the message "initiating" reaches "#incidents" and "oncall@example.org"
    And within 60 seconds the message "update" reaches "#incidents" and "oncall@example.org"
    And within 60 seconds users are served right values
    And within 60 seconds Redis uses at most 2 MB more memory than before
    And within 60 seconds more than 70 % of the look-ups are answered by the cache
    And within 60 seconds every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs
    And no job is refused or left unanswered for 2 seconds
    And Redis answers the API within 5 ms for 2 seconds
    And the API's memory is back to its baseline within 20 %
    When the message "resolved" is sent
    Then within 60 seconds the message "resolved" reaches "#incidents" and "oncall@example.org"

  @row:R11 @row:R7 @runbook:redis.md#clear-a-wrong-cache
  Scenario: The cache serves wrong values of a few items
    Given jobs are submitted at 5 per second
    When the cache holds wrong values of 3 items
    Then within 10 seconds users are served wrong values
    And the items that users are served wrong are written down
    When the recovery playbook "cache/delete_entries" is run
    Then within 60 seconds users are served right values
    And within 60 seconds more than 70 % of the look-ups are answered by the cache
    And within 60 seconds every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs
    And no job is refused or left unanswered for 2 seconds
    And Redis answers the API within 5 ms for 2 seconds
    And the API's memory is back to its baseline within 20 %

  @row:R11 @as-written @finding:S2-4.3-KEYS @finding:S2-4.3-xargs @not-repeatable @runbook:redis.md#clear-a-wrong-cache
  Scenario: The cache is cleared by KEYS and DEL
    S2-4.3-KEYS: the source lists the keys to delete with KEYS, which makes Redis serve nobody until it has looked at every key of the database.
    List them with SCAN and delete them with UNLINK, in portions.
    S2-4.3-xargs: the source hands the keys to DEL by xargs, which splits them at blanks: a key with a blank in its name is not deleted, and its parts are, where another key has such a name.
    Hand each key over as one argument, or let a client list and delete.

    Given jobs are submitted at 5 per second
    And the time that Redis has spent on KEYS is known
    When the cache holds wrong values, and 300,000 further entries with blanks in their names
    Then within 20 seconds users are served wrong values
    When the recovery playbook "cache/as_written/keys_and_del" is run
    Then Redis served nobody for at least 20 ms while it carried out KEYS
    And within 60 seconds users are served right values
    And the 300,000 entries with blanks in their names are still there

  @row:R11 @as-written @finding:S2-4.3-FLUSHALL @accepts-data-loss:40 @not-repeatable @runbook:redis.md#clear-a-wrong-cache
  Scenario: The cache is cleared by FLUSHALL
    The source clears the cache with FLUSHALL, which deletes the queue in the same Redis: every waiting job is lost, and a queue that was paused runs again.
    Delete the cache's own keys, by their pattern, and warm it.

    When the queue is paused, and 40 jobs come in
    And the cache holds wrong values
    Then within 20 seconds 40 jobs wait
    And within 20 seconds users are served wrong values
    And the keys of the database and the queue's pause are written down
    When the recovery playbook "cache/as_written/flushall" is run
    Then within 60 seconds users are served right values
    And within 60 seconds the queue is not paused any more, although nobody resumed it
    And the keys of the database and the queue's pause are written down
    And within 60 seconds 20 new jobs are completed, and only what was accepted is lost
