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
    for extra in ("book", "test", "sweep", "neuroml", "export", "analysis"):
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
    assert "lfpykit" not in " ".join(PROJECT["dependencies"]).lower(), "an optional extra only"


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
    wanted = "py.typed __init__.pyi data/registry.csv viewer3d.js nmc.mplstyle published/cells.toml"
    for name in wanted.split():
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


@pytest.mark.parametrize("name", ["ci", "weekly", "publish"])
def test_workflows_pin_actions_by_hash_and_ask_for_the_least_rights(name):
    text = (ROOT / f".github/workflows/{name}.yml").read_text()
    used = re.findall(r"uses: (.+)", text)
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", action) for action in used)
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_the_public_book_falls_back_to_the_sample_only_when_a_maintainer_asks():
    workflow = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text())
    triggers = workflow[True]  # YAML reads the key "on" as a boolean
    assert set(triggers) == {"push", "workflow_dispatch"} and set(triggers["push"]) == {"tags"}
    asked = triggers["workflow_dispatch"]["inputs"]["source"]
    assert asked["options"] == ["portal,extracts", "extracts,sample"]
    assert asked["default"] == "portal,extracts"
    source = workflow["jobs"]["build"]["env"]["SOURCE"]
    assert source == "${{ inputs.source || 'portal,extracts' }}"


def test_the_site_shows_the_newest_book_and_every_version(tmp_path):
    def book(path, words):
        (tmp_path / "html").mkdir(exist_ok=True)
        (tmp_path / "html/index.html").write_text(words)
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "-C", tmp_path, "-czf", path, "html"], check=True)

    book(tmp_path / "new.tar.gz", "newest")
    for tag in ("v0.9", "v0.10"):
        book(tmp_path / f"kept/{tag}/book.tar.gz", tag)
    command = [ROOT / ".ci/site-versions", tmp_path / "new.tar.gz", tmp_path / "kept"]
    subprocess.run([*command, tmp_path / "site"], check=True)
    pages = {p.relative_to(tmp_path / "site").as_posix() for p in tmp_path.glob("site/**/*.html")}
    assert pages == {"index.html", "v0.9/index.html", "v0.10/index.html", "versions.html"}
    assert (tmp_path / "site/index.html").read_text() == "newest"
    assert (tmp_path / "site/v0.9/index.html").read_text() == "v0.9"
    links = re.findall(r'href="([^"]+)"', (tmp_path / "site/versions.html").read_text())
    assert links == ["./", "v0.10/", "v0.9/"]
    again = subprocess.run([*command, tmp_path / "site"], capture_output=True, text=True)
    assert again.returncode == 1 and "is there already" in again.stderr

    (tmp_path / "kept/v1;touch").mkdir()
    book(tmp_path / "kept/v1;touch/book.tar.gz", "?")
    bad = subprocess.run([*command, tmp_path / "other"], capture_output=True, text=True)
    assert bad.returncode == 1 and "not a version" in bad.stderr


def test_community_files_are_there_and_name_one_version():
    assert json.loads((ROOT / ".zenodo.json").read_text())["license"] == "BSD-3-Clause"
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] and citation["date-released"]
    for name in ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "SECURITY.md", "CONTRIBUTING.md"):
        assert (ROOT / name).stat().st_size > 500, name
    for form in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        parsed = yaml.safe_load(form.read_text())
        assert {"name", "description", "body"} <= set(parsed)
    assert (ROOT / ".github/pull_request_template.md").is_file()


def test_the_ci_calls_the_readmes_test_command():
    script = (ROOT / ".ci/run").read_text().strip()
    assert script.endswith("exec make test")
    assert "cat .binder/apt.txt .ci/apt.txt" in script
    assert "make test" in (ROOT / "README.md").read_text()
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_the_readmes_numbers_are_those_of_the_sample_and_the_registry():
    """The same numbers stand on the landing page, in the glossary and in the teachers' guide."""
    import nmc
    from nmc.data.sources import providers

    readme = (ROOT / "README.md").read_text("utf-8")
    models, neurons = len(nmc.available_models("sample")), nmc.default_connectome().n_neurons
    for name in ("README.md", "book/index.md", "book/glossary.md"):
        text = (ROOT / name).read_text("utf-8")
        assert f"packages of {models} models" in text and f"about {neurons:,} neurons" in text
    assert f"packages of {models} models" in (ROOT / "book/instructors-guide.md").read_text("utf-8")
    assert f"nmc.load_pathways()  # {len(nmc.load_pathways()):,} pathways" in readme
    assert f"{len(nmc.model_names()):,} model neurons" in readme
    served = list(providers())
    kinds = [key.split("/")[0] for key in served]
    assert kinds.count("model") == 13 and "thirteen real L5 packages" in readme
    wiring = [key for key in served if key.startswith("connectome/extract/")]
    assert len(wiring) == 2 and "the wiring of two real m-types" in readme
