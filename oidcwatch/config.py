"""Loads the configuration: one YAML file and conf.d/*.yaml beside it, checked as a whole, every mistake told at once."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oidcwatch.config_build import Place, build, with_own_region
from oidcwatch.config_merge import Tree, merge
from oidcwatch.config_model import Config
from oidcwatch.config_problem import ConfigError, Problem, found
from oidcwatch.config_rules import check_rules
from oidcwatch.config_schema import validate
from oidcwatch.config_yaml import Document, read_document
from oidcwatch.settings import Settings

REGION_VARIABLE = "OIDCWATCH_REGION"

__all__ = ["REGION_VARIABLE", "ConfigError", "Loaded", "Problem", "load", "load_both"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration twice: as the program uses it, and as the file would say it with every default."""

    settings: Settings
    config: Config


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings in this file and the conf.d/*.yaml beside it. No secret is read.

    Relative paths start at the file's folder. `environ` gives OIDCWATCH_REGION and the variables of ca_file.
    Raises ConfigError with every problem.
    """
    return load_both(path, environ).settings


def load_both(path: Path, environ: Mapping[str, str], *, connects: bool = True) -> Loaded:
    """As `load`, with the typed file beside the settings.

    Without `connects` nothing will be connected to, so the files of ca_file need not be there.
    """
    files = (path, *sorted((path.parent / "conf.d").glob("*.yaml")))
    documents, problems = _read(files)
    if len(documents) < len(files):
        raise ConfigError(problems)  # what a file that cannot be read would have said is not known
    tree, conflicts = merge(documents)
    config, shape = validate(tree)
    region = environ.get(REGION_VARIABLE, "")
    refused = {(problem.file, problem.path) for problem in problems}  # their values are not in the tree
    problems += [problem for problem in shape if (problem.file, problem.path) not in refused]
    problems += [*conflicts, *check_rules(tree, region), *_region_problems(region)]
    ca_files: list[Path | None] = []
    for index, item in enumerate(_issuers(tree)):
        ca_file, problem = _ca_file(item, path.parent, environ) if connects else (None, "")
        ca_files.append(ca_file)
        if problem:
            problems.append(tree.problem(("issuers", index, "tls", "ca_file"), problem))
    if problems or config is None:
        raise ConfigError(_in_order(problems, files))
    effective = with_own_region(config, region)
    return Loaded(build(effective, files, Place(path.parent, tuple(ca_files))), effective)


def _read(files: tuple[Path, ...]) -> tuple[list[Document], list[Problem]]:
    documents, problems = [], []
    for file in files:
        document, wrong = read_document(file, str(file))
        problems += wrong
        if document:
            documents.append(document)
    return documents, problems


def _region_problems(region: str) -> list[Problem]:
    if not region or re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", region):
        return []
    message = f"must be lower-case letters, digits and hyphens (it becomes a label), found {found(region)}"
    return [Problem(f"environment variable {REGION_VARIABLE}", 0, 0, "", message)]


def _issuers(tree: Tree) -> list[object]:
    issuers = tree.data.get("issuers")
    return issuers if isinstance(issuers, list) else []


def _ca_file(issuer: object, folder: Path, environ: Mapping[str, str]) -> tuple[Path | None, str]:
    """The path of the issuer's authorities and what is wrong with it. A wrong shape is reported elsewhere."""
    tls = issuer.get("tls") if isinstance(issuer, dict) else None
    ca_file = tls.get("ca_file") if isinstance(tls, dict) else None
    if isinstance(ca_file, dict):
        variable = ca_file.get("env")
        if isinstance(variable, str):
            if not environ.get(variable):
                return None, f"environment variable {variable} is not set; it must hold the path of a PEM file"
            ca_file = environ[variable]
        else:
            ca_file = ca_file.get("file")
    if not isinstance(ca_file, str) or not ca_file or "\x00" in ca_file:
        return None, ""
    path = (folder / ca_file).absolute()
    if not path.is_file():
        return path, f"there is no file {str(path)!r}"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:  # ssl.SSLError is one
        return path, f"{str(path)!r} holds no certificates in PEM form ({error.strerror})"
    return path, ""


def _in_order(problems: list[Problem], files: tuple[Path, ...]) -> list[Problem]:
    """By file, line and column, each once: a shape and a rule may say the same."""
    places = {str(file): index for index, file in enumerate(files)}
    return sorted(
        dict.fromkeys(problems), key=lambda p: (places.get(p.file, len(places)), p.line, p.column, p.path, p.message)
    )
