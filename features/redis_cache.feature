@runbook:redis.md @severity:P1 @rto:10m
Feature: The cache is wrong
  A bad release has written wrong values into the cache. Users are served them until the cache is cleared. The queue
  lives in the same Redis: what clears the cache must not touch it, nor hold it up.

  Background:
    Given the system is healthy
    And jobs are submitted at 50 per second
    And users look items up

  @row:R11 @row:R7 @runbook:redis.md#clear-a-wrong-cache
  Scenario: The cache serves wrong values
    When the cache holds wrong values
    Then within 10 seconds users are served wrong values
    And Redis holds keys
    When the recovery playbook "cache/delete_by_pattern" is run
    Then within 60 seconds users are served right values
    And within 60 seconds more than 70 % of the look-ups are answered by the cache
    And within 60 seconds every acknowledged job is completed exactly once
    And no job is refused or left unanswered for 2 seconds
    And Redis answers the API within 5 ms for 2 seconds

  @row:R11 @row:R7 @runbook:redis.md#clear-a-wrong-cache
  Scenario: The cache serves wrong values of a few items
    When the cache holds wrong values of 3 items
    Then within 10 seconds users are served wrong values
    When the recovery playbook "cache/delete_entries" is run
    Then within 60 seconds users are served right values
    And within 60 seconds more than 70 % of the look-ups are answered by the cache
    And within 60 seconds every acknowledged job is completed exactly once
    And no job is refused or left unanswered for 2 seconds
    And Redis answers the API within 5 ms for 2 seconds

  @row:R11 @as-written @finding:S2-4.3-KEYS @runbook:redis.md#clear-a-wrong-cache
  Scenario: The cache is cleared by KEYS and DEL, as written
    The source lists the keys to delete with KEYS, which makes Redis serve nobody until it has looked at every key.
    List them with SCAN and delete them with UNLINK, in portions.

    When the cache holds wrong values, and 300,000 further entries
    Then within 20 seconds users are served wrong values
    When the recovery playbook "as_written/cache_keys_del" is run
    Then Redis served nobody for at least 50 ms at a time
    And within 60 seconds users are served right values

  @row:R11 @as-written @finding:S2-4.3-FLUSHALL @accepts-data-loss:queue @runbook:redis.md#clear-a-wrong-cache
  Scenario: The cache is cleared by FLUSHALL, as written
    The source clears the cache with FLUSHALL, which deletes the queue in the same Redis: every waiting job is lost, and
    a queue that was paused runs again. Delete the cache's own keys, by pattern.

    When the queue is paused
    And the cache holds wrong values
    Then within 10 seconds users are served wrong values
    And within 10 seconds at least 100 jobs wait
    When the recovery playbook "as_written/cache_flushall" is run
    Then within 60 seconds users are served right values
    And within 60 seconds the queue runs again although nobody resumed it
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And at least 100 acknowledged jobs are lost
