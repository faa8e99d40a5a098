"""One place for the pins, and the files that Binder, conda and the workflows read from it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def locked() -> set[str]:
    return {name.lower() for name in re.findall(r"^([\w.-]+)==", LOCK, re.MULTILINE)}


def test_the_lock_pins_every_dependency_with_hashes_and_names_no_index():
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"]]
    for extra in ("book", "test", "sweep", "neuroml", "export"):
        wanted += extras[extra]
    names = {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in wanted}
    assert names - locked() == set(), "run 'make lock'"
    requirements = re.findall(r"^[\w.-]+==.*(?:\n +--hash=\S+.*)*", LOCK, re.MULTILINE)
    assert {re.match(r"[\w.-]+", text)[0].lower() for text in requirements} == locked()
    assert all("--hash=sha256:" in requirement for requirement in requirements)
    assert "index-url" not in LOCK and "://" not in LOCK


def test_no_strong_copyleft_is_a_dependency():
    for name in ("igraph", "networkit", "pyflagser"):
        assert name not in locked()


def test_binder_takes_the_same_pins_as_its_own_rules_want_them():
    """repo2docker: .binder alone is read; requirements.txt, apt.txt, runtime.txt, postBuild."""
    binder = ROOT / ".binder"
    included = re.findall(r"^-r (\S+)$", (binder / "requirements.txt").read_text(), re.MULTILINE)
    assert [(binder / name).resolve() for name in included] == [ROOT / "requirements.lock"]
    assert re.fullmatch(r"python-3\.1[123]\n", (binder / "runtime.txt").read_text())
    packages = (binder / "apt.txt").read_text().split()
    assert "g++" in packages
    assert "chromium" not in packages, "Binder's images are Ubuntu's, which has it as a snap only"
    assert os.access(binder / "postBuild", os.X_OK)
    script = (binder / "postBuild").read_text()
    assert script.startswith("#!") and "jupytext-config set-default-viewer" in script
    assert subprocess.run(["bash", "-n", binder / "postBuild"]).returncode == 0
    for line in re.findall(r"^(?:from|import) .*", script, re.MULTILINE):
        exec(line, {})
    assert not (binder / "environment.yml").exists(), "it would win over requirements.txt"


def test_the_wheel_holds_the_package_alone_typed_and_described(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "_build", "tests", "book"))
    subprocess.run([*command, "-w", tmp_path, copy], check=True, cwd=tmp_path)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        about = wheel.read(next(n for n in names if n.endswith(".dist-info/METADATA"))).decode()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"nmc"}
    for name in ("py.typed", "data/registry.csv", "viewer3d.js", "published/cells.toml"):
        assert f"nmc/{name}" in names
    assert "Author: " in about and "Classifier: Typing :: Typed" in about


def test_commits_are_checked_by_the_tools_of_the_lock():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    own = [hook for repo in hooks if repo["repo"] == "local" for hook in repo["hooks"]]
    assert {"ruff", "ruff-format", "codespell"} <= {hook["id"] for hook in own}
    assert all(hook["entry"].startswith(".venv/bin/") for hook in own)


def test_conda_takes_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == {"pip": ["-r requirements.lock"]}
    assert "cxx-compiler" in environment["dependencies"]


def test_the_dev_container_installs_what_binder_does():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    assert re.search(r"python:3\.1[123]$", container["image"])
    assert ".binder/apt.txt .ci/apt.txt" in container["onCreateCommand"]
    assert "make .venv/.installed" in container["onCreateCommand"]


@pytest.mark.parametrize("name", ["ci", "weekly", "publish"])
def test_workflows_are_whole(name):
    workflow = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())
    assert workflow["jobs"] and all("steps" in job for job in workflow["jobs"].values())
    targets = re.findall(r"\bmake ([\w-]+)", (ROOT / f".github/workflows/{name}.yml").read_text())
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_the_public_book_never_falls_back_to_the_sample():
    text = (ROOT / ".github/workflows/publish.yml").read_text()
    assert "SOURCE=portal,extracts" in text and "sample" not in re.sub(r"(?m)^#.*$", "", text)


def test_the_ci_calls_the_readmes_test_command():
    script = (ROOT / ".ci/run").read_text().strip()
    assert script.endswith("exec make test")
    assert "cat .binder/apt.txt .ci/apt.txt" in script
    assert "make test" in (ROOT / "README.md").read_text()
    assert os.access(ROOT / ".ci/run", os.X_OK)
