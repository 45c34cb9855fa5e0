@runbook:redis.md @severity:P0 @rto:10m
Feature: Redis is away, or lets nobody in
  What users notice of it; two causes that are no outage of Redis at all, a wrong setting after a deployment and a leak
  that takes up every connection; and what may be left behind when it is over, jobs that are stuck.

  Background:
    Given the system is healthy

  @row:R8 @row:R7 @self-healing @self-healing-off:sentinels_stopped @runbook:redis.md#wait-for-the-provider
  Scenario: Redis is away and users get by without it
    Given jobs are submitted at 5 per second
    And users look items up
    When the Redis primary is killed
    Then within 10 seconds the API calls itself "degraded"
    And within 10 seconds look-ups are answered by the database
    And within 10 seconds whoever asks the queue is told 503 and the reason
    And within 10 seconds new jobs are kept in memory
    And no look-up fails
    And the API is alive all the time
    And what the API, the queue and Sentinel say is written down
    When the system is left to itself
    Then within 60 seconds the API calls itself "ok"
    And within 60 seconds the API reports "redis" as up
    And within 60 seconds the queue can be counted
    And within 60 seconds the cache answers as many look-ups as before, within 10 %
    And within 60 seconds at most 1 % of the requests end in an error
    And within 60 seconds the memory buffer is empty
    And within 60 seconds 3 workers are connected to the queue
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds every acknowledged job is completed exactly once
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs
    And no job is refused or left unanswered for 2 seconds
    And Redis answers the API within 5 ms for 2 seconds
    And the API's memory is back to its baseline within 10 %

  @row:R9 @row:R7 @runbook:redis.md#put-the-settings-right
  Scenario: A deployment brings a wrong Redis password
    Given jobs are submitted at 5 per second
    When a deployment starts the API with "not-the-right-one" as its "REDIS_PASSWORD"
    Then within 30 seconds the API reports "redis" as down
    And within 30 seconds the API names "auth" as the reason why "redis" is down
    And "REDIS_PASSWORD" in the environment of the API is not what the vault has
    And every setting of the API is set
    And within 30 seconds new jobs are kept in memory
    And within 30 seconds whoever asks the queue is told 503 and the reason
    When the recovery playbook "redis/put_settings_right" is run
    Then within 10 minutes the API reports "redis" as up
    And "REDIS_PASSWORD" in the environment of the API is what the vault has
    And within 60 seconds Redis answers PING over TLS with the password of the API
    And within 60 seconds the queue can be counted
    And within 60 seconds the memory buffer is empty
    And within 60 seconds every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs
    And no job is refused or left unanswered for 2 seconds
    And Redis answers the API within 5 ms for 2 seconds
    And the API's memory is back to its baseline within 10 %

  @row:R9 @row:R7 @runbook:redis.md#put-the-settings-right
  Scenario: A deployment brings a wrong address of Redis
    Given jobs are submitted at 5 per second
    When a deployment starts the API with "1" as its "REDIS_SENTINELS"
    Then within 30 seconds the API reports "redis" as down
    And within 30 seconds the API names "refused" as the reason why "redis" is down
    And "REDIS_SENTINELS" in the environment of the API is not what the vault has
    And every setting of the API is set
    And within 30 seconds new jobs are kept in memory
    And within 30 seconds whoever asks the queue is told 503 and the reason
    When the recovery playbook "redis/put_settings_right" is run
    Then within 10 minutes the API reports "redis" as up
    And "REDIS_SENTINELS" in the environment of the API is what the vault has
    And within 60 seconds Redis answers PING over TLS with the password of the API
    And within 60 seconds the queue can be counted
    And within 60 seconds the memory buffer is empty
    And within 60 seconds every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs
    And no job is refused or left unanswered for 2 seconds
    And Redis answers the API within 5 ms for 2 seconds
    And the API's memory is back to its baseline within 10 %

  @row:R9 @as-written @finding:S0-2-checks @finding:S1-1-metrics @finding:S1-memory @finding:S1-3-ampersand @finding:S2-6.4
  @runbook:redis.md#put-the-settings-right
  Scenario: The runbook's own checks pass while the API cannot use Redis
    S0-2-checks: the source tests Redis with PING, the queue with LLEN of "waiting", and the settings with `echo $NAME`. The first two are the engineer's account, and are well while the API's is refused; the second is 0 whatever waits; the third asks the engineer's shell, which has no such setting, and where it has prints the secret.
    Ask the API for its `error_kind`, compare its own settings with the vault without printing them, and ask Redis as the API does.
    S1-1-metrics: the source notes depth and rate before the drill without the API key that it gives one line above: it is refused, and `jq '.depth'` prints null.
    Give the key, and let curl fail where the server refuses: `curl -sf`.
    S1-memory: the source watches the memory of the API with `grep memory_usage` of its metrics. No line has that name, so an overflow of the memory buffer shows nothing.
    Ask for a name that is there, `process_resident_memory_bytes`, and let the command fail when it finds no line.
    S1-3-ampersand: the source asks for the errors of the queue with `curl https://.../logs?level=error&service=queue`. Without quotes the shell ends the command at the `&`: the server is asked for the errors of all services, and that nobody answers is never noticed, since the command runs in the background.
    Put the address in quotes.
    S2-6.4: the source takes the hit rate of the cache from Redis INFO. That counts all keys, those of the queue too, since the server started: it stays as it was while the cache answers nobody.
    Ask the API how the look-ups of the last seconds were answered.

    Given jobs are submitted at 5 per second
    And users look items up
    And the hit rate that INFO tells is known
    When a deployment starts the API with "not-the-right-one" as its "REDIS_PASSWORD"
    Then within 30 seconds the API names "auth" as the reason why "redis" is down
    And Redis answers the engineer's PING, and the length of "waiting" is 0
    And the engineer's shell on the host of the API has no "REDIS_PASSWORD", although the API is started with one
    And the queue's metrics are refused with 401 to whoever asks without the key
    And the question for the queue's errors loses "service=queue" in a shell, and ends with 0 where nobody answers
    And no line of the API's metrics has "memory_usage", although one tells the memory of its process
    And the hit rate that INFO tells is as before, within 5 points, while the cache answers no look-up
    And within 30 seconds new jobs are kept in memory
    When the recovery playbook "redis/put_settings_right" is run
    Then within 60 seconds the API reports "redis" as up
    And within 60 seconds the memory buffer is empty
    And within 60 seconds every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %

  @row:R9 @row:R7 @not-repeatable @runbook:redis.md#the-api-was-started-anew-meanwhile @runbook:redis.md#give-access-back
  Scenario: The API is started anew while Redis refuses it
    Given the start of the API is known
    And jobs are submitted at 20 per second
    When Redis refuses the application
    Then within 30 seconds the API reports "redis" as down
    And within 30 seconds the API names "auth" as the reason why "redis" is down
    And within 30 seconds new jobs are kept in memory
    When the recovery playbook "api/restart" is run
    Then within 30 seconds the API, started anew, holds what the old one had acknowledged
    When the recovery playbook "redis/give_access_back" is run
    Then within 60 seconds the API reports "redis" as up
    And within 60 seconds the circuit breaker is closed
    And within 60 seconds the memory buffer is empty
    And within 60 seconds 3 workers are connected to the queue
    And within 60 seconds every acknowledged job is completed exactly once
    And within 60 seconds the dead-letter queue holds no more jobs than before
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 20 jobs
    And no job is refused or left unanswered for 2 seconds
    And Redis answers the API within 5 ms for 2 seconds
    And the API's memory is back to its baseline within 10 %

  @row:R10 @row:R7 @row:P4 @runbook:redis.md#close-idle-connections @runbook:communication.md#when-it-begins
  @runbook:communication.md#while-it-runs @runbook:communication.md#when-it-is-over
  Scenario: Redis takes no more connections
    Given jobs are submitted at 5 per second
    When a leak takes up every connection of Redis, and the API is started anew
    Then within 60 seconds a new connection to Redis is refused with "max number of clients reached"
    And within 60 seconds the API reports "redis" as down
    And within 60 seconds the API names "limit" as the reason why "redis" is down
    And at least 10 connections lead to Redis, counted on its hosts
    And within 60 seconds new jobs are kept in memory
    When the message "initiating" is sent
    And the recovery playbook "redis/close_idle_connections" is run
    And the message "update" is sent
    Then within 60 seconds the message "initiating" reaches "#incidents" and "oncall@example.org"
    And within 60 seconds the message "update" reaches "#incidents" and "oncall@example.org"
    And within 60 seconds a new connection to Redis is accepted
    And within 60 seconds at most 60 % of the connections of Redis are taken
    And within 60 seconds the API reports "redis" as up
    And within 60 seconds the circuit breaker is closed
    And within 60 seconds the memory buffer is empty
    And within 60 seconds 3 workers are connected to the queue
    And within 2 minutes every acknowledged job is completed exactly once
    And within 2 minutes jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs
    And no job is refused or left unanswered for 2 seconds
    And Redis answers the API within 5 ms for 2 seconds
    And the API's memory is back to its baseline within 10 %
    When the message "resolved" is sent
    Then within 60 seconds the message "resolved" reaches "#incidents" and "oncall@example.org"

  @row:R10 @row:R7 @runbook:redis.md#raise-the-limit
  Scenario: Redis takes no more connections, and every one is needed
    Given jobs are submitted at 5 per second
    When a leak takes up every connection of Redis, and the API is started anew
    Then within 60 seconds a new connection to Redis is refused with "max number of clients reached"
    And within 60 seconds the API names "limit" as the reason why "redis" is down
    And at least 10 connections lead to Redis, counted on its hosts
    When the recovery playbook "redis/raise_connection_limit" is run
    Then within 60 seconds a new connection to Redis is accepted
    And at least 10 connections lead to Redis, counted on its hosts
    And within 60 seconds at most 60 % of the connections of Redis are taken
    And within 60 seconds the API reports "redis" as up
    And within 60 seconds the circuit breaker is closed
    And within 60 seconds the memory buffer is empty
    And within 60 seconds 3 workers are connected to the queue
    And within 60 seconds every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs
    And no job is refused or left unanswered for 2 seconds
    And Redis answers the API within 5 ms for 2 seconds
    And the API's memory is back to its baseline within 10 %

  @row:R6 @row:R7 @runbook:redis.md#jobs-are-stuck-although-redis-is-back @runbook:redis.md#if-it-does-not-recover
  Scenario: Jobs are stuck although Redis is back
    Given jobs that take 400 ms each are submitted at 8 per second
    When every worker hangs
    And every Redis node is killed
    Then within 10 seconds Redis takes no writes
    And within 20 seconds the queue cannot be counted
    And the processes of "redis_nodes" and "worker" are written down
    When the recovery playbook "redis/start" is run
    Then within 60 seconds Redis takes writes
    And within 60 seconds jobs are stuck for more than 5 seconds, and none is completed
    And the queue's counts, its oldest active jobs and its workers are written down
    When the recovery playbook "workers/force_restart" is run
    Then within 60 seconds 3 workers are connected to the queue
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the dead-letter queue holds at least 1 job
    When the recovery playbook "workers/replay_cleared_jobs" is run
    Then within 60 seconds the dead-letter queue is empty
    And within 60 seconds every acknowledged job is completed exactly once
    And within 60 seconds jobs are processed as fast as they are submitted, within 10 %
    And within 60 seconds the queue is as deep as before, within 10 % or 10 jobs
    And no job is refused or left unanswered for 2 seconds
    And Redis answers the API within 5 ms for 2 seconds
    And the API's memory is back to its baseline within 10 %
