@runbook:platforms.md @severity:P1 @rto:2m
Feature: A bad deployment on a vendor's platform is rolled back
  The vendor's own client does it. A rollback is done when users get the stable release; what the client says is no proof.

  Background:
    Given the system is healthy

  @row:D1 @runbook:platforms.md#roll-a-deployment-on-vercel-back @runbook:platforms.md#success-criteria
  Scenario: A bad deployment is live on Vercel
    Given Vercel's client can be used
    And users get release "1.1.0" from Vercel
    When a release whose script is missing is deployed to Vercel
    Then within 2 minutes users get release "1.2.0" from Vercel, without its script
    And what Vercel serves is written down
    When the recovery playbook "vercel/roll_back" is run
    Then within 2 minutes users get release "1.1.0" from Vercel, for 2 seconds

  @row:D1 @as-written @finding:S0-3A @runbook:platforms.md#roll-a-deployment-on-vercel-back
  Scenario: A deployment on Vercel is rolled back without naming one
    The source promotes the deployment from before by hand. With the client the same is often written as `vercel rollback`. Without a deployment this command only tells a status, and ends with 0: nothing is rolled back. Within three minutes of a promotion it even says "Success! ... was rolled back to" the deployment that was promoted, which here is the bad one.
    Name the deployment, and look at what users get.

    Given Vercel's client can be used
    And users get release "1.1.0" from Vercel
    When a release whose script is missing is promoted on Vercel, and rolled back without naming a deployment
    Then the rollback has ended with status 0, and has said "Success!"
    And within 2 minutes users get release "1.2.0" from Vercel, without its script
    And what Vercel serves is written down
    When the recovery playbook "vercel/roll_back" is run
    Then within 2 minutes users get release "1.1.0" from Vercel, for 2 seconds

  @row:D9 @rto:5m @runbook:platforms.md#let-a-workflow-roll-back @runbook:platforms.md#success-criteria
  Scenario: A workflow of GitHub Actions rolls a bad release back
    Given GitHub's client can be used
    And users are served release "1.1.0"
    When a release that answers with errors goes live
    Then within 60 seconds more than 10 % of the requests end in an error
    And what GitHub says of the rollback is written down
    When the recovery playbook "github/roll_back" is run
    Then within 2 minutes users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds at most 1 % of the requests end in an error

  @row:D9 @as-written @finding:S3-4-dispatch @rto:5m @runbook:platforms.md#let-a-workflow-roll-back
  Scenario: A rollback is dispatched, and nobody watches its run
    The source dispatches the workflow and goes on to confirm the recovery. `gh workflow run` ends with 0 when GitHub has taken the request, whatever becomes of the run. With a version that is not there the run fails, and users are still served the bad release.
    Watch the run to its end, and look at what users get.

    Given GitHub's client can be used
    And users are served release "1.1.0"
    When a release that answers with errors goes live, and its rollback is dispatched with a mistyped version
    Then within 60 seconds the dispatch has ended with status 0, and its run with "failure"
    And within 60 seconds more than 10 % of the requests end in an error
    And within 60 seconds users are served release "1.2.0" alone, for 3 seconds
    And what GitHub says of the rollback is written down
    When the recovery playbook "github/roll_back" is run
    Then within 2 minutes users are served release "1.1.0" alone, for 2 seconds
    And within 60 seconds at most 1 % of the requests end in an error

  @row:D10 @rto:5m @runbook:platforms.md#roll-a-worker-back @runbook:platforms.md#success-criteria
  Scenario: A bad version of a Worker is live
    Given Cloudflare's client can be used
    And users get release "1.1.0" of the Worker, and their sessions are known
    When a release of the Worker that lacks a binding goes live
    Then within 2 minutes release "1.2.0" of the Worker answers its health with 503 and its products with 500
    And what the Worker serves is written down
    When the recovery playbook "cloudflare/roll_back" is run
    Then within 2 minutes users get release "1.1.0" of the Worker, and their sessions are known, for 2 seconds

  @row:D10 @as-written @finding:S4-list @rto:5m @runbook:platforms.md#roll-a-worker-back
  Scenario: A Worker is rolled back to the first deployment of the list
    The source lists the deployments, and rolls back to one of them. Scripts take the first, as `jq '.[0]'` does. But wrangler lists the oldest first, although the API it asks has the newest first: users get a release that is long out of date.
    Take the version that has the mark of the stable release.

    Given Cloudflare's client can be used
    And users get release "1.1.0" of the Worker, and their sessions are known
    When a release of the Worker that lacks a binding goes live, and the first deployment of the list is rolled back to
    Then within 2 minutes release "1.0.0" of the Worker answers its health with 200 and its products with 404
    And what the Worker serves is written down
    When the recovery playbook "cloudflare/roll_back" is run
    Then within 2 minutes users get release "1.1.0" of the Worker, and their sessions are known, for 2 seconds

  @row:D12 @rto:5m @runbook:platforms.md#set-a-secret-of-a-worker @runbook:platforms.md#success-criteria
  Scenario: A wrong secret is set for a Worker
    Given Cloudflare's client can be used
    And users get release "1.1.0" of the Worker, and their sessions are known
    When a wrong secret is set for the Worker
    Then within 2 minutes a session of a user is answered with 401
    And what the Worker serves is written down
    When the recovery playbook "cloudflare/set_secret" is run
    Then within 2 minutes users get release "1.1.0" of the Worker, and their sessions are known, for 2 seconds
