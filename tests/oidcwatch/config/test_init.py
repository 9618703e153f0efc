"""`oidcwatch init` against small providers that say one thing each."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidcwatch.config import load
from oidcwatch.config_starter import name_of, render, starter

Run = Callable[..., subprocess.CompletedProcess[str]]

FULL: dict[str, Any] = {
    "scopes_supported": ["openid", "profile", "offline_access", "custom"],
    "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"],
    "grant_types_supported": ["authorization_code", "client_credentials"],
    "id_token_signing_alg_values_supported": ["ES256"],
    "jwks_uri": "https://keys.acme.example/jwks",
}


@contextmanager
def _provider(path: str = "", status: int = 200, **members: Any) -> Iterator[str]:
    """A provider on loopback; gives its issuer. `issuer` among the members replaces the right one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"issuer": issuer, **members}).encode()
            known = self.path == f"{path}/.well-known/openid-configuration"
            self.send_response(status if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = f"http://127.0.0.1:{server.server_port}{path}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield issuer
        finally:
            server.shutdown()


@pytest.mark.process
def test_what_is_written_fits_the_provider_and_loads(run: Run, tmp_path: Path) -> None:
    with _provider("/realms/main", **FULL) as issuer:
        done = run("init", issuer, "--client-id", "watch", "--redirect-uri", "https://app.example/cb")

    assert (done.returncode, done.stderr) == (0, "")
    loaded = load(tmp_path / "oidcwatch.yaml", {})
    (client,) = loaded.issuers[0].clients
    assert loaded.issuers[0].url == issuer
    assert loaded.issuers[0].policy.allow_http
    assert loaded.issuers[0].allowed_hosts == {"keys.acme.example"}
    assert (client.client_id, client.redirect_uri) == ("watch", "https://app.example/cb")
    assert (client.auth_method, client.login.preset, client.id_token_alg) == ("client_secret_post", "keycloak", "ES256")
    assert client.scopes == ("openid", "profile", "offline_access")
    assert [check.probe for check in loaded.checks] == ["discovery", "jwks", "login", "refresh"]


@pytest.mark.process
def test_the_next_commands_are_told(run: Run) -> None:
    with _provider() as issuer:
        done = run("init", issuer, "--out", "here.yaml")

    assert done.stdout.splitlines()[-3:] == [
        "  oidcwatch config check -c here.yaml",
        "  oidcwatch probe -c here.yaml",
        "  oidcwatch run -c here.yaml",
    ]


@pytest.mark.process
def test_a_file_that_exists_is_kept_unless_forced(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "oidcwatch.yaml"
    path.write_text("mine")

    with _provider() as issuer:
        refused = run("init", issuer)
        kept = path.read_text()
        forced = run("init", issuer, "--force")

    assert (refused.returncode, kept) == (2, "mine")
    assert "--force" in refused.stderr
    assert forced.returncode == 0
    assert load(path, {}).checks


@pytest.mark.process
def test_standard_output_takes_the_file_alone(run: Run, tmp_path: Path) -> None:
    with _provider() as issuer:
        done = run("init", issuer, "--out", "-")

    path = tmp_path / "piped.yaml"
    path.write_text(done.stdout)
    assert load(path, {}).issuers[0].url == issuer


@pytest.mark.process
def test_the_address_of_the_document_itself_is_understood(run: Run) -> None:
    with _provider() as issuer:
        done = run("init", f"{issuer}/.well-known/openid-configuration", "--json")

    assert json.loads(done.stdout)["issuer"] == issuer


@pytest.mark.process
def test_a_document_of_another_issuer_is_refused(run: Run, tmp_path: Path) -> None:
    with _provider(issuer="https://evil.example\x1b[2J") as issuer:
        done = run("init", issuer)

    assert done.returncode == 1
    assert "names the issuer 'https://evil.example\\x1b[2J'" in done.stderr
    assert not (tmp_path / "oidcwatch.yaml").exists()


@pytest.mark.process
def test_an_error_of_the_provider_is_told_without_a_traceback(run: Run) -> None:
    with _provider(status=503) as issuer:
        done = run("init", issuer)

    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "HTTP status 503" in done.stderr


@pytest.mark.process
@pytest.mark.parametrize("issuer", ["login.example.com", "https://login.example.com?x=1", "ftp://login.example.com"])
def test_what_is_no_issuer_is_a_bad_call(run: Run, issuer: str) -> None:
    done = run("init", issuer)

    assert done.returncode == 2
    assert done.stderr.startswith("oidcwatch: ISSUER must")


def test_removing_the_comment_signs_gives_the_clients(tmp_path: Path) -> None:
    commented = render(starter("https://login.acme.example", FULL), None)
    path = tmp_path / "oidcwatch.yaml"

    path.write_text(re.sub(r"^    # (?=clients:| )", "    ", commented, flags=re.MULTILINE), encoding="utf-8")

    assert [client.name for client in load(path, {}).issuers[0].clients] == ["portal"]


@pytest.mark.parametrize(
    ("issuer", "name"),
    [
        ("https://login.acme.example/realms/main", "acme"),
        ("https://acme.okta.example", "acme"),
        ("http://127.0.0.1:8080", "local"),
        ("http://[::1]:8080", "local"),
        ("https://365.example", "issuer-365"),
        ("https://null.example", "issuer-null"),
    ],
)
def test_an_issuer_is_named_after_its_host(issuer: str, name: str) -> None:
    assert name_of(issuer) == name


_HOSTS = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z0-9]{1,10}){0,3}\Z")
_VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=30), st.lists(st.text(max_size=30), max_size=5))


@settings(deadline=None)  # a busy machine is no failure
@given(
    host=_HOSTS,
    document=st.dictionaries(st.sampled_from(["authorization_endpoint", *FULL]), _VALUES),
    endpoint=_HOSTS,
    client_id=st.one_of(st.none(), st.from_regex(r"\A[ -~]{1,40}\Z")),
)
def test_whatever_a_provider_says_the_file_loads(
    tmp_path_factory: pytest.TempPathFactory, host: str, document: dict[str, Any], endpoint: str, client_id: str | None
) -> None:
    path = tmp_path_factory.mktemp("init") / "oidcwatch.yaml"
    said = {"token_endpoint": f"https://{endpoint}/token", **document}

    path.write_text(render(starter(f"https://{host}", said), client_id), encoding="utf-8")

    assert load(path, {}).issuers[0].url == f"https://{host}"
