"""The control API: faults, keys, clock, settings and state of the provider, on a loopback port of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import BadRequest, HTTPException

from sandbox.faults import FAULTS
from sandbox.keys import MODES
from sandbox.realm import Realm
from sandbox.resources import KeyCache


def create_control(realm: Realm, caches: Mapping[str, KeyCache]) -> Flask:
    """The WSGI application. Bodies are JSON objects; a bad one is answered with 400 and `error`."""
    app = Flask("sandbox.control", static_folder=None, template_folder=None)
    _add_faults(app, realm)
    _add_keys(app, realm)
    _add_state(app, realm)
    _add_resources(app, caches)

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=error.description), error.code or 500

    return app


def _body(**types: Any) -> dict[str, Any]:
    """The request's members, which must be known and of these types. Raises BadRequest."""
    body = request.get_json()  # also requires the JSON content type, which a foreign page cannot send unasked
    if not isinstance(body, dict):
        raise BadRequest("expected a JSON object")
    for name, value in body.items():
        if name not in types or not isinstance(value, types[name]):
            raise BadRequest(f"{name}: expected one of {', '.join(types)} with its type")
    return body


def _try(action: Callable[[], None]) -> None:
    try:
        action()
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest(str(error.args[0] if error.args else error)) from error


def _add_faults(app: Flask, realm: Realm) -> None:
    @app.get("/faults")
    def list_faults() -> Response:
        known = {fault.name: {"summary": fault.summary, "params": dict(fault.defaults)} for fault in FAULTS}
        return jsonify(known=known, active=realm.faults.describe())

    @app.post("/faults")
    def set_fault() -> Response:
        body = _body(name=str, params=dict, client_id=str, times=(int, type(None)))
        _try(
            lambda: realm.faults.set(
                body.get("name", ""),
                body.get("params", {}),
                client_id=body.get("client_id", ""),
                times=body.get("times"),
            )
        )
        return jsonify(realm.faults.describe())

    @app.delete("/faults")
    @app.delete("/faults/<name>")
    def clear_faults(name: str | None = None) -> Response:
        realm.faults.clear(name)
        return jsonify(realm.faults.describe())


def _add_keys(app: Flask, realm: Realm) -> None:
    @app.get("/keys")
    def keys() -> Response:
        return jsonify(modes=list(MODES), algorithms=realm.keys.describe())

    @app.put("/keys")
    def place() -> Response:
        body = _body(alg=str, active=str, published=list)
        _try(lambda: realm.keys.place(body["alg"], body["active"], [str(each) for each in body["published"]]))
        return jsonify(modes=list(MODES), algorithms=realm.keys.describe())

    @app.post("/keys")
    def rotate() -> Response:
        body = _body(mode=str, alg=(str, type(None)), kid=str)
        _try(lambda: realm.keys.rotate(body.get("mode", ""), body.get("alg"), body.get("kid", "")))
        return jsonify(modes=list(MODES), algorithms=realm.keys.describe())


def _add_state(app: Flask, realm: Realm) -> None:
    @app.get("/state")
    def state() -> Response:
        return jsonify(
            issuer=realm.issuer,
            faults=realm.faults.describe(),
            keys=realm.keys.describe(),
            clock=realm.clock.offsets,
            hits=realm.hits.snapshot(),
            settings={name: getattr(realm.settings, name) for name in realm.settings.__dataclass_fields__},
            remembered=realm.store.sizes(),
        )

    @app.post("/clock")
    def clock() -> Response:
        body = _body(tokens=(int, float, type(None)), date=(int, float, type(None)))
        realm.clock.set(tokens=body.get("tokens"), date=body.get("date"))
        return jsonify(realm.clock.offsets)

    @app.post("/settings")
    def settings() -> Response:
        body = _body(**{name: object for name in realm.settings.__dataclass_fields__})

        def change() -> None:
            realm.settings = realm.settings.changed(body)

        _try(change)
        return jsonify({})

    @app.post("/password")
    def password() -> Response:
        body = _body(username=str, password=str)
        _try(lambda: realm.directory.set_password(body["username"], body["password"]))
        return jsonify({})

    @app.post("/reset")
    def reset() -> Response:
        realm.store.clear()
        realm.hits.clear()
        return jsonify({})


def _add_resources(app: Flask, caches: Mapping[str, KeyCache]) -> None:
    @app.get("/resources")
    def resources() -> Response:
        return jsonify({name: cache.describe() for name, cache in caches.items()})

    @app.post("/resources/<name>")
    def change(name: str) -> Response:
        body = _body(cooldown=(int, float), period=(int, float))
        _try(lambda: caches[name].change(**body))
        return jsonify(caches[name].describe())

    @app.post("/resources/<name>/restart")
    def restart(name: str) -> Response:
        _try(lambda: caches[name].restart())
        return jsonify(caches[name].describe())
