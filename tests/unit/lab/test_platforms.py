"""The stand-ins of the vendors: they answer what the vendors' clients ask, and serve what was deployed.

The requests in tests/data/platforms are those of the clients themselves. In place of an id they have a name.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from drillbook_lab.lifecycle.parts.vendors import clients
from drillbook_lab.lifecycle.parts.vendors.standins import session
from drillbook_lab.platforms import cloudflare, github, vercel, workers
from drillbook_lab.platforms.workflow import Run, Workflow
from tests.support import ROOT

pytestmark = pytest.mark.unit

TOKEN = "token-of-the-test"
CONTENT = ROOT / "lab/drillbook_lab/platforms/content"
RECORDED: dict[str, dict[str, list[dict[str, Any]]]] = json.loads(
    (ROOT / "tests/data/platforms/requests.json").read_text()
)
WORKFLOW = Workflow.read((CONTENT / "github" / github.FILE).read_text())


class Served(workers.Address):
    """An address at which nothing is run: it remembers which version was put live."""

    def __init__(self) -> None:
        super().__init__("", Path())
        self.version: workers.Version | None = None

    async def serve(self, version: workers.Version) -> None:
        if b"throw" in version.script:
            raise RuntimeError("the script does not run")
        self.version = version


def ask(routes: list[Route], request: str, token: str = TOKEN, **more: Any) -> httpx.Response:
    method, path = request.split(" ", 1)

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=routes))
        async with httpx.AsyncClient(transport=transport, base_url="http://stand-in") as client:
            return await client.request(
                method, path, headers={"Authorization": f"Bearer {token}", **more.pop("headers", {})}, **more
            )

    return asyncio.run(asked())


# ---------------------------------------------------------------- Vercel


@pytest.fixture
def project() -> vercel.Project:
    made = vercel.Project("127.0.0.1:1")
    made.deploy({"index.html": b"good"}, "production", {"release": "1.1.0"})
    return made


def page(project: vercel.Project, path: str = "/") -> httpx.Response:
    return ask(vercel.Site(project).routes(), f"GET {path}")


def test_what_is_deployed_to_production_is_served(project: vercel.Project) -> None:
    assert (page(project).text, page(project, "/gone.js").status_code) == ("good", 404)
    project.deploy({"index.html": b"preview"}, None, {})
    project.deploy({"index.html": b"staged"}, "production", {}, staged=True)
    assert page(project).text == "good"
    project.deploy({"index.html": b"new"}, "production", {})
    assert page(project).text == "new"


def test_after_a_rollback_nothing_goes_live_until_something_is_promoted(project: vercel.Project) -> None:
    good = project.deployments[0]
    project.deploy({"index.html": b"bad"}, "production", {})
    project.point(good, "rollback")
    fix = project.deploy({"index.html": b"fix"}, "production", {})
    assert page(project).text == "good"
    project.point(fix, "promote")
    assert page(project).text == "fix"
    project.deploy({"index.html": b"next"}, "production", {})
    assert page(project).text == "next"


def test_files_are_asked_for_before_they_are_deployed(project: vercel.Project) -> None:
    routes = vercel.Vercel(TOKEN, project).routes()
    digest = hashlib.sha1(b"new", usedforsecurity=False).hexdigest()
    asked = {"files": [{"file": "index.html", "sha": digest}], "target": "production"}
    refused = ask(routes, "POST /v13/deployments", json=asked)
    assert (refused.status_code, refused.json()["error"]["missing"]) == (400, [digest])
    wrong = ask(routes, "POST /v2/files", content=b"other", headers={"x-now-digest": digest})
    assert wrong.status_code == 400
    assert ask(routes, "POST /v2/files", content=b"new", headers={"x-now-digest": digest}).status_code == 200
    assert ask(routes, "POST /v13/deployments", json=asked).status_code == 200
    assert page(project).text == "new"


def test_deployments_are_listed_newest_first_and_by_their_marks(project: vercel.Project) -> None:
    project.deploy({}, "production", {"release": "1.2.0"})
    routes = vercel.Vercel(TOKEN, project).routes()

    def listed(query: str) -> list[str]:
        found = ask(routes, f"GET /v6/deployments?{query}").json()["deployments"]
        return [each["meta"]["release"] for each in found]

    assert listed("target=production") == ["1.2.0", "1.1.0"]
    assert listed("meta-release=1.1.0") == ["1.1.0"]
    assert listed("limit=1") == ["1.2.0"]
    assert listed("target=preview") == []


# ---------------------------------------------------------------- Cloudflare


@pytest.fixture
def worker() -> cloudflare.Worker:
    made = cloudflare.Worker(Served())

    async def deploy() -> None:
        for release in ("1.0.0", "1.1.0", "1.2.0"):
            version = made.add(release.encode(), "index.js", "2026-01-01", {cloudflare.TAG: release}, KEY="right")
            await made.deploy(version, {})

    asyncio.run(deploy())
    return made


def script(path: str) -> str:
    return f"/client/v4/accounts/{cloudflare.ACCOUNT}/workers/scripts/{cloudflare.SCRIPT}/{path}"


def served(worker: cloudflare.Worker) -> workers.Version:
    assert isinstance(worker.address, Served) and worker.address.version is not None
    return worker.address.version


def test_a_version_keeps_its_secrets_and_a_new_secret_is_a_new_version(worker: cloudflare.Worker) -> None:
    routes = cloudflare.Cloudflare(TOKEN, worker).routes()
    assert ask(routes, f"PUT {script('secrets')}", json={"name": "KEY", "text": "wrong"}).status_code == 200
    assert (served(worker).script, served(worker).secrets) == (b"1.2.0", {"KEY": "wrong"})
    before = {"versions": [{"version_id": worker.versions[1].id, "percentage": 100}]}
    assert ask(routes, f"POST {script('deployments')}", json=before).status_code == 200
    assert (served(worker).script, served(worker).secrets) == (b"1.1.0", {"KEY": "right"})


def test_no_answer_has_the_value_of_a_secret(worker: cloudflare.Worker) -> None:
    routes = cloudflare.Cloudflare(TOKEN, worker).routes()
    told = [ask(routes, f"GET {script(each)}").text for each in ("secrets", "versions", "settings", "deployments")]
    assert all("right" not in each for each in told) and "KEY" in told[0]
    assert "right" not in workers.capnp(worker.live) and '"KEY"' in workers.capnp(worker.live)


def test_the_api_lists_the_newest_deployment_first(worker: cloudflare.Worker) -> None:
    found = ask(cloudflare.Cloudflare(TOKEN, worker).routes(), f"GET {script('deployments')}").json()["result"]
    listed = [each["versions"][0]["version_id"] for each in found["deployments"]]
    assert listed == [each.id for each in reversed(worker.versions)]


def test_a_version_that_does_not_run_does_not_go_live(worker: cloudflare.Worker) -> None:
    new = worker.add(b"throw", "index.js", "2026-01-01", {})
    asked = {"versions": [{"version_id": new.id, "percentage": 100}]}
    answer = ask(cloudflare.Cloudflare(TOKEN, worker).routes(), f"POST {script('deployments')}", json=asked)
    assert (answer.status_code, served(worker).script) == (400, b"1.2.0")


def test_a_script_is_taken_from_a_form(worker: cloudflare.Worker) -> None:
    metadata = {"main_module": "index.js", "compatibility_date": "2026-01-01", "annotations": {cloudflare.TAG: "2"}}
    form = {
        "metadata": (None, json.dumps(metadata)),
        "index.js": ("index.js", b"new\r\n\r\nscript", "application/javascript+module"),
    }
    routes = cloudflare.Cloudflare(TOKEN, worker).routes()
    told = ask(routes, f"POST {script('versions')}", files=form).json()["result"]
    assert worker.versions[-1].script == b"new\r\n\r\nscript"
    assert (told["id"], told["annotations"]) == (worker.versions[-1].id, {cloudflare.TAG: "2"})
    assert served(worker).script == b"1.2.0"


# ---------------------------------------------------------------- GitHub


@pytest.fixture
def runner(tmp_path: Path) -> github.Runner:
    return github.Runner(tmp_path, tmp_path / "tools", tmp_path / "log")


def done(runner: github.Runner, workflow: Workflow, **inputs: str) -> Run:
    run = Run(workflow, inputs)
    asyncio.run(run.go(runner.folder, runner.tools, runner.log))
    return run


def steps(*commands: str) -> Workflow:
    return Workflow(
        "x", "job", {"version": True}, {"V": "${{ inputs.version }}"}, tuple((each, each) for each in commands)
    )


def test_a_run_ends_at_the_first_step_that_fails(runner: github.Runner) -> None:
    failed = done(runner, steps("true", "false", "touch beyond"))
    assert (failed.conclusion, failed.done) == ("failure", [("true", True), ("false", False)])
    assert not (runner.folder / "beyond").exists()
    assert done(runner, steps("true")).conclusion == "success"


def test_an_input_is_no_command(runner: github.Runner) -> None:
    run = done(runner, steps('echo "$V" > said'), version="x; touch beyond $(touch beyond)")
    assert (run.conclusion, (runner.folder / "said").read_text()) == ("success", "x; touch beyond $(touch beyond)\n")
    assert not (runner.folder / "beyond").exists()


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({"version": "v1"}, None),
        ({}, "Required input 'version' not provided"),
        ({"version": ""}, "Required input 'version' not provided"),
        ({"version": "v1", "x": "1"}, "Unexpected inputs provided: ['x']"),
    ],
)
def test_inputs_are_those_of_the_workflow(inputs: dict[str, str], why: str | None) -> None:
    assert WORKFLOW.refused(inputs) == why


def test_a_workflow_that_this_runner_cannot_run_is_refused() -> None:
    text = "name: x\non: {workflow_dispatch: {inputs: {}}}\njobs: {a: {steps: [{name: x, uses: actions/checkout@v4}]}}"
    with pytest.raises(ValueError, match="whose steps are commands"):
        Workflow.read(text)


def test_a_dispatch_is_answered_before_its_run_has_ended(
    runner: github.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_ends(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Run, "go", never_ends)
    routes = github.GitHub(TOKEN, steps("true"), runner).routes()
    asked = {"ref": "main", "inputs": {"version": "v1"}, "return_run_details": True}

    async def dispatched() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(Starlette(routes=routes))
        headers = {"Authorization": f"token {TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as client:
            begun = await client.post("/repos/acme/shop/actions/workflows/7/dispatches", json=asked)
            return begun, await client.get(f"/repos/acme/shop/actions/runs/{begun.json()['workflow_run_id']}")

    begun, run = asyncio.run(dispatched())
    assert (begun.status_code, run.json()["status"], run.json()["conclusion"]) == (200, "in_progress", None)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"ref": "nowhere", "inputs": {"version": "v1"}}, "No ref found"),
        ({"ref": "main", "inputs": {}}, "Required input"),
    ],
)
def test_a_dispatch_that_github_refuses(runner: github.Runner, asked: dict[str, Any], says: str) -> None:
    routes = github.GitHub(TOKEN, WORKFLOW, runner).routes()
    answer = ask(routes, "POST /repos/acme/shop/actions/workflows/7/dispatches", json=asked)
    assert answer.status_code == 422 and says in answer.json()["message"]


# ---------------------------------------------------------------- all of them


def recorded() -> Iterator[Any]:
    for client, commands in RECORDED.items():
        for command, requests in commands.items():
            yield pytest.param(client.split()[0], requests, id=f"{client} {command}")


@pytest.mark.parametrize(("client", "requests"), [*recorded()])
def test_the_clients_are_answered_as_they_were_when_this_was_recorded(
    *,
    client: str,
    requests: list[dict[str, Any]],
    project: vercel.Project,
    worker: cloudflare.Worker,
    runner: github.Runner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ends(run: Run, *_: object) -> None:
        run.conclusion = "success"

    monkeypatch.setattr(Run, "go", ends)
    of_github = github.GitHub(TOKEN, steps("true"), runner)
    if client == "gh":
        ask(of_github.routes(), "POST /repos/acme/shop/actions/workflows/7/dispatches", json=DISPATCH)
    routes = [
        *vercel.Vercel(TOKEN, project).routes(),
        *cloudflare.Cloudflare(TOKEN, worker).routes(),
        *of_github.routes(),
    ]
    ids = {"vercel": {"GOOD": project.deployments[0].id}}.get(
        client, {"GOOD": worker.versions[1].id, "BAD": worker.versions[2].id}
    )
    for each in requests:
        text = json.dumps(each)
        for name, value in ids.items():
            text = text.replace(name, value)
        asked = json.loads(text)
        more = {} if asked["body"] is None else {"json": asked["body"]}
        assert ask(routes, asked["request"], **more).status_code == asked["status"], asked["request"]


DISPATCH = {"ref": "main", "inputs": {"version": "v1"}}


@pytest.mark.parametrize("request_line", ["GET /v2/user", f"GET {script('secrets')}", "GET /repos/acme/shop"])
def test_nobody_is_answered_without_the_token(
    request_line: str, project: vercel.Project, worker: cloudflare.Worker, runner: github.Runner
) -> None:
    routes = [
        *vercel.Vercel(TOKEN, project).routes(),
        *cloudflare.Cloudflare(TOKEN, worker).routes(),
        *github.GitHub(TOKEN, WORKFLOW, runner).routes(),
    ]
    assert ask(routes, request_line).status_code == 200
    assert ask(routes, request_line, token="another").status_code in (401, 403)


def test_a_session_is_signed_as_the_worker_reads_it() -> None:
    assert session("secret") != session("other") and session("secret").startswith("ada.")
    assert len(session("secret").partition(".")[2]) == 64


def test_no_client_is_there_before_somebody_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = clients.clients()
    assert tuple(found) == ("vercel", "wrangler", "gh")
    assert not any(each.there for each in found.values())


@pytest.mark.parametrize("length", [1, 200])
def test_a_version_that_is_live_twice_has_two_folders_and_a_socket_can_be_made_in_each(
    tmp_path: Path, length: int
) -> None:
    """The one from before removes its own folder when it ends. A unix socket has no long path."""
    version = workers.Version("an-id", 1, 0.0, b"", "index.js", "2026-01-01", {}, {})
    folders = [workers.Serving("workerd", tmp_path / ("x" * length), version)._folder for _ in range(2)]
    assert folders[0] != folders[1]
    for folder in folders:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(folder / "http.sock"))
        shutil.rmtree(folder)
