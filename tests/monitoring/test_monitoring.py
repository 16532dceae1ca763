"""Alerts and the overview ask for what services export, and a real Prometheus that scraped them answers every query.

That each alert is raised by the fault it is for: deploy/tests/test_compose.py, by promtool.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from build_embedded.serve import SERVICES
from build_testkit.stack import Stack, embedded_stack, free_port, wait_until

sys.path.insert(0, str(Path(__file__).parents[2]))  # `tools` is no package that is installed

from tools.reference.metrics import PANELS, alerts, metrics

QUERIES = [panel.query for panel in PANELS] + [rule["expr"] for rule in alerts()]
KNOWN = {series: metric for rows in metrics().values() for metric in rows for series in metric.series}
OTHERS = re.compile(r"up|rabbitmq_\w+|process_\w+")
"""Prometheus' own, the broker's plugin's, and each process's."""

FUNCTIONS = frozenset({"sum", "max", "by", "rate", "increase", "histogram_quantile", "vector", "or", "le"})
ALWAYS = frozenset({"le", "job", "instance", "service"})


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_what_is_exported(query: str) -> None:
    """Each metric is one that a service has, each label one of its; a renamed one is found here, not in an outage."""
    bare = re.sub(r'"[^"]*"', "", query)
    labels = set(re.findall(r"(\w+)\s*=~?", bare)) | {
        name.strip() for group in re.findall(r"\bby \(([^)]*)\)", bare) for name in group.split(",")
    }
    words = set(re.findall(r"\b[a-z_]+[a-z]\b", re.sub(r"\[\w+\]", "", bare))) - FUNCTIONS - labels
    ours = {word for word in words if not OTHERS.fullmatch(word)}

    assert ours <= set(KNOWN)
    if ours:
        assert labels - ALWAYS <= {label for name in ours for label in KNOWN[name].labels}


def test_every_alert_says_what_to_do() -> None:
    """A severity that is answered by somebody, and a sentence."""
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule
        assert len(rule["annotations"]["summary"]) > 20, rule


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[tuple[Stack, str]]:
    """A system that saw builds, and a Prometheus with our rules that scrapes it every second."""
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        pytest.skip("needs prometheus: deploy/machine/setup.sh promtool")
    metrics_port, port = free_port(), free_port()
    with embedded_stack(tmp_path, extra={"GATEWAY_METRICS_PORT": str(metrics_port)}) as stack:
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(Path(__file__).parents[2] / "deploy/monitoring/prometheus/rules.yml")],
            "scrape_configs": [
                {"job_name": "services", "static_configs": [{"targets": [f"127.0.0.1:{metrics_port}"]}]}
            ],
        }
        (tmp_path / "prometheus.json").write_text(json.dumps(config))  # JSON is YAML
        command = [prometheus, f"--config.file={tmp_path}/prometheus.json", f"--storage.tsdb.path={tmp_path}/tsdb"]
        with (tmp_path / "prometheus.log").open("w") as log:
            process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        try:
            yield stack, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def ask(prometheus: str, query: str) -> list[dict[str, Any]]:
    try:
        with urllib.request.urlopen(
            f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=10
        ) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found
    except urllib.error.HTTPError as error:
        pytest.fail(f"{query}: {error.read().decode()}")
    except OSError:
        return []


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FULL"), reason="a system and a Prometheus: FULL=1 runs it")
def test_a_real_prometheus_answers_every_query(scraped: tuple[Stack, str]) -> None:
    """After two builds each panel shows something, but for what did not happen; no alert fires."""
    stack, prometheus = scraped
    for command in ("echo hello", "exit 3"):
        subprocess.run(
            stack.agent_command("torch-mlir", "sh", "-c", command, options=("--origin", "ci")),
            env=stack.agent_environment,
            check=False,
            capture_output=True,
            timeout=60,
        )
    counted = "sum(ingest_build_seconds_count)"
    wait_until(lambda: [one for one in ask(prometheus, counted) if float(one["value"][1]) >= 2], 60, "two builds")
    # Nobody was notified, nothing was uploaded by a build, and nothing failed.
    unseen = {"Messages sent, by channel and state", "Artifacts reported, by outcome", "Requests that failed, by route"}
    shown = {panel.title: panel.query for panel in PANELS if panel.title not in unseen}
    wait_until(lambda: not [title for title, query in shown.items() if not ask(prometheus, query)], 60, "every panel")
    services = {one["metric"]["service"] for one in ask(prometheus, "http_request_seconds_count")}
    names = {one["metric"]["__name__"] for one in ask(prometheus, '{job="services", __name__=~"[a-z].*"}')}
    for query in QUERIES:
        ask(prometheus, query)
    firing = ask(prometheus, 'ALERTS{alertstate="firing"}')

    assert set(SERVICES) >= services >= {"gateway", "ingest", "history"}
    assert [] == firing
    ours = {name for name in names if not OTHERS.fullmatch(name) and not name.endswith("_created")}
    assert ours - set(KNOWN) - {"scrape_duration_seconds"} <= {name for name in ours if name.startswith("scrape_")}
