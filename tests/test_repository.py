"""Files for the code host, editors and citation managers: workflows, forms, hooks and metadata."""

import configparser
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(file for file in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if file.name != "config.yml")


def load(file):
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def triggers(workflow):
    return workflow[True]  # YAML 1.1 reads the key "on" as true


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_have_timeouts_and_read_only_permissions(file):
    workflow = load(file)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert "uses" in job or (job["runs-on"] and 0 < job["timeout-minutes"] <= 120), name
        assert set(job.get("needs", "").split()) <= set(workflow["jobs"])
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+)", step.get("uses", "a/b@v1")), step


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_run_existing_scripts_and_targets(file):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for step in steps(load(file)):
        for script in re.findall(r"(?:^|[ (])(\.ci/\w+|tools/\w+\.py)", step.get("run", "")):
            assert (ROOT / script).is_file()
        if step.get("run", "").startswith("make "):
            assert [word for word in shlex.split(step["run"])[1:] if "=" not in word and word not in targets] == []


def test_ci_runs_everything_on_each_supported_python():
    workflow = load(GITHUB / "workflows" / "ci.yml")
    assert {"push", "pull_request", "workflow_call"} <= triggers(workflow).keys()
    (job,) = workflow["jobs"].values()
    classifiers = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d", text)]
    assert job["strategy"]["matrix"]["python"] == classifiers
    oldest, newest = classifiers[0], int(classifiers[-1].split(".")[1])
    assert PROJECT["requires-python"] == f">={oldest},<3.{newest + 1}"
    assert job["container"] == "python:${{ matrix.python }}-bookworm"
    assert job["steps"][-1] == {"run": ".ci/run"}
    assert job["env"]["QUOTH_WITHOUT_DATA"] == "1"


def test_a_release_is_checked_before_it_is_published_without_a_stored_token():
    workflow = load(GITHUB / "workflows" / "release.yml")
    assert triggers(workflow) == {"push": {"tags": ["v*"]}}
    jobs = workflow["jobs"]
    assert jobs["check"]["uses"] == "./.github/workflows/ci.yml"
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("check", "build")
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["environment"] == "pypi"
    assert [step["uses"].split("@")[0] for step in jobs["publish"]["steps"]] == [
        "actions/download-artifact",
        "pypa/gh-action-pypi-publish",
    ]
    assert "secrets." not in (GITHUB / "workflows" / "release.yml").read_text(encoding="utf-8")
    commands = [step.get("run", "") for step in jobs["build"]["steps"]]
    assert any("$GITHUB_REF_NAME" in command and "dist.py --version" in command for command in commands)


@pytest.mark.parametrize("file", FORMS, ids=lambda file: file.name)
def test_issue_forms_are_valid(file):
    form = load(file)
    assert all(form[key] for key in ("name", "description", "body"))
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert all(field["attributes"]["label"] for field in fields)
    names = [field["id"] for field in fields]
    assert len(set(names)) == len(names)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_the_pull_request_template_names_the_checks():
    text = (GITHUB / "pull_request_template.md").read_text(encoding="utf-8")
    assert "make check" in text
    assert "CHANGELOG.md" in text


@pytest.mark.torch  # ruff is not in the environment of make test-base
def test_commit_hooks_are_local_and_run():
    repositories = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [each["repo"] for each in repositories] == ["local"]
    for hook in repositories[0]["hooks"]:
        program, *arguments = shlex.split(hook["entry"])
        assert program in (".venv-full/bin/ruff", ".venv-full/bin/python")
        if program.endswith("ruff"):
            command = [sys.executable, "-m", "ruff", *arguments, str(Path(__file__))]
            assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_the_citation_agrees_with_the_package():
    citation = load(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert citation["message"]
    assert citation["title"].startswith("Quoth")


def test_the_editor_configuration_has_the_line_length_of_the_linter():
    parser = configparser.ConfigParser()
    parser.read_string("[top]\n" + (ROOT / ".editorconfig").read_text(encoding="utf-8"))
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    assert parser["*"]["max_line_length"] == str(lint["line-length"])
    assert parser["Makefile"]["indent_style"] == "tab"
