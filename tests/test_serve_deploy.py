"""The files in deploy/: they parse, are consistent with the server and with each other, and their steps run."""

import configparser
import http.server
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest
import typer

from quoth.cli import app
from quoth.config import settings_of
from quoth.serve.settings import ServeSettings

yaml = pytest.importorskip("yaml")

pytestmark = pytest.mark.serve

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
# Maximum time for accepted requests and for the shutdown after them, in seconds.
GRACE = ServeSettings().deadline_s + 5


def flags_of(words):
    """Return the flags after ``quoth serve``, all of which must exist."""
    start = next(index for index, word in enumerate(words) if Path(word).name == "quoth")
    assert words[start + 1] == "serve"
    command = typer.main.get_command(app).get_command(None, "serve")
    known = {option for parameter in command.params for option in parameter.opts}
    flags = words[start + 2 :]
    assert [word for word in flags if word.startswith("--") and word not in known] == []
    return dict(zip(flags[::2], flags[1::2], strict=True))


def steps():
    """Return the instructions of the Containerfile, with continued lines joined."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#")]


def seconds(text):
    return float(re.fullmatch(r"(\d+)s", text)[1])


def test_the_container_runs_unprivileged_and_stops_in_time():
    last = dict(steps())
    assert last["USER"] == "10001:10001"
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert flags_of(json.loads(last["ENTRYPOINT"])) == {"--host": "0.0.0.0", "--port": "8000"}
    assert "/readyz" in last["HEALTHCHECK"]
    copied = [word for name, rest in steps() if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]]
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8").split()
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name.removeprefix('./')}" in ignored


def test_the_compose_file_restricts_both_services():
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    service = document["services"]["quoth"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert seconds(service["stop_grace_period"]) >= GRACE
    for one in document["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in one["ports"])
        for volume in one.get("volumes", []):
            source = volume.split(":")[0]
            assert source in document["volumes"] or (DEPLOY / source).is_file()
    scrape = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text(encoding="utf-8"))["scrape_configs"][0]
    assert scrape["static_configs"] == [{"targets": ["quoth:8000"]}]
    assert Path(scrape["authorization"]["credentials_file"]).name in document["secrets"]


def test_systemd_accepts_the_unit(tmp_path):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(DEPLOY / "quoth.service", encoding="utf-8")
    service = parser["Service"]
    assert flags_of(shlex.split(service["ExecStart"]))["--host"] == "127.0.0.1"
    assert service["DynamicUser"] == "yes"
    assert float(service["TimeoutStopSec"]) >= GRACE
    if shutil.which("systemd-analyze"):
        unit = tmp_path / "quoth.service"
        text = (DEPLOY / "quoth.service").read_text(encoding="utf-8")
        unit.write_text(text.replace("/opt/quoth/bin/quoth", sys.executable), encoding="utf-8")
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_probes_use_existing_endpoints():
    documents = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
    deployment, service, budget, policy = documents
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["terminationGracePeriodSeconds"] >= GRACE + container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    probes = {container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert probes == {"/readyz", "/healthz"}
    (port,) = container["ports"]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    # A busy server has some seconds to answer a probe, and a minute until it is replaced.
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[name]["timeoutSeconds"] >= 3
    assert container["livenessProbe"]["periodSeconds"] * container["livenessProbe"]["failureThreshold"] >= 60
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["minAvailable"] < deployment["spec"]["replicas"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["spec"]["ingress"][0]["ports"] == [{"port": port["name"]}]
    # Environment variables for flags name existing flags, and the paths in them are mounted.
    names = {f"QUOTH_SERVE_{name.upper()}" for name in settings_of(ServeSettings)}
    given = {item["name"]: item["value"] for item in container["env"]}
    assert set(given) <= names
    secrets = next(mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "tokens")
    assert all(given[name].startswith(f"{secrets}/") for name in given if name.endswith("_FILE"))


def test_the_health_check_is_kept_in_an_oci_image():
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    check = document["services"]["quoth"]["healthcheck"]
    assert "/readyz" in check["test"][-1]
    assert check["test"][0] == "CMD"
    assert "--format docker" in (DEPLOY / "Containerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("status", [200, 503])
def test_the_health_check_reports_whether_the_server_is_ready(status):
    """Run the command of the health check against a server that is ready or not."""
    check = json.loads(dict(steps())["HEALTHCHECK"].split("CMD", 1)[1])

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        command = [sys.executable, *check[1:-1], check[-1].replace("8000", str(server.server_port))]
        done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode == 0) is (status == 200)


@pytest.mark.long
def test_the_steps_of_the_container_run_in_an_empty_folder(tmp_path):
    """Without containers: run each COPY and RUN with this Python, and then the entry point."""
    build, opt = tmp_path / "build", tmp_path / "opt"
    build.mkdir()
    here = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    here["PATH"] = f"{Path(sys.executable).resolve().parent}:{here['PATH']}"
    for name, rest in steps():
        rest = rest.replace("/opt/quoth", str(opt / "quoth"))
        if name == "COPY" and "--from" not in rest:
            *sources, target = rest.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    skip = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / source, build / target, ignore=skip, dirs_exist_ok=True)
                else:
                    shutil.copy(ROOT / source, build / target)
        elif name == "RUN":
            subprocess.run(
                rest.replace("python -m venv", f"{sys.executable} -m venv"), shell=True, cwd=build, env=here, check=True
            )
    entry = json.loads(next(rest for name, rest in steps() if name == "ENTRYPOINT"))
    entry = [word.replace("0.0.0.0", "127.0.0.1").replace("8000", "0") for word in entry]
    here["PATH"] = f"{opt}/quoth/bin:{here['PATH']}"
    with subprocess.Popen(entry, stderr=subprocess.PIPE, cwd=tmp_path, env=here, text=True) as running:
        url = next(line.split()[-1] for line in running.stderr if "Listening on" in line)
        body = json.dumps({"question": "What flew?", "context": "A gull flew over the tower."}).encode()
        request = urllib.request.Request(f"{url}/v1/answer", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            assert json.load(response)["answers"][0]["text"]
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
