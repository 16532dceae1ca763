"""The files of an installation as texts, from the answers alone. Pure."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from build_protocol.config_reading import config_schema
from build_protocol.project_config import Project

from build_embedded.setup.answers import HTTPS_PORT, Answers

STOP_SECONDS = 60
FIRST_FREE_PORT = 1024
SERVER_UNIT, AGENT_UNIT = "build-dashboard.service", "build-dashboard-agent.service"
SMTP_PASSWORD, SENDGRID_KEY = "smtp_password", "sendgrid_api_key"


def texts(answers: Answers, program: str) -> dict[str, str]:
    """The text of each file by its path in the folder.

    Args:
        answers: Without faults.
        program: The command `build-dashboard`, with its whole path.
    """
    found = {
        ".env": environment(answers),
        "config.yaml": config(answers.project),
        "config.schema.json": json.dumps(config_schema(), indent=1) + "\n",
        f"systemd/{SERVER_UNIT}": server_unit(answers, program),
        f"systemd/{AGENT_UNIT}": agent_unit(answers, program),
    }
    if answers.tls in ("acme", "own"):
        found["Caddyfile"] = caddyfile(answers)
    return found


def environment(answers: Answers) -> str:
    """`.env`: what `build-dashboard up` reads where it runs; secrets are files that it names."""
    lines = [
        "# Read by `build-dashboard up` and `build-dashboard notify` in this folder.",
        "# Every setting: docs/reference/settings.md.",
        "",
        "# The address people and agents use.",
        f"BUILD_DASHBOARD_URL='{answers.url}'",
    ]
    if answers.tls == "proxy":
        lines += ["# The proxy in front, whose X-Forwarded-For is believed.", "TRUSTED_PROXIES='127.0.0.1,::1'"]
    lines += ["", "# Mails: who they are from, and who sends them. `build-dashboard notify test` tries it."]
    if answers.mail == "none":
        lines += [
            "# NOTIFICATION_EMAIL='builds@example.com'",
            "# NOTIFIER_SMTP_HOST='smtp.example.com'",
            f"# NOTIFIER_SMTP_PASSWORD_FILE='{answers.secrets / SMTP_PASSWORD}'",
        ]
    else:
        lines.append(f"NOTIFICATION_EMAIL='{answers.mail_from}'")
    if answers.mail == "sendgrid":
        lines.append(f"SECRET_API_KEY_FILE='{answers.secrets / SENDGRID_KEY}'")
    if answers.mail == "smtp":
        lines += [
            f"NOTIFIER_SMTP_HOST='{answers.smtp_host}'",
            f"NOTIFIER_SMTP_PORT='{answers.smtp_port}'",
            f"NOTIFIER_SMTP_TLS='{str(answers.smtp_tls).lower()}'",
        ]
        if answers.smtp_username:
            lines += [
                f"NOTIFIER_SMTP_USERNAME='{answers.smtp_username}'",
                f"NOTIFIER_SMTP_PASSWORD_FILE='{answers.secrets / SMTP_PASSWORD}'",
            ]
    return "\n".join(lines) + "\n"


def agent_environment(answers: Answers, key: str) -> str:
    """`agent.env`: what an agent and the client commands need, for systemd and for `set -a; . agent.env`."""
    return f"WS_ENDPOINT={answers.endpoint}\nBUILD_DASHBOARD_URL={answers.url}\nBUILD_DASHBOARD_API_KEY={key}\n"


def config(project: str) -> str:
    """config.yaml with one project, and every field that a project may have as a comment with its default."""
    return "\n".join(
        [
            "# yaml-language-server: $schema=config.schema.json",
            "# The projects, for the server and for agents; a change is taken up without a restart.",
            "# What is wrong with it: `build-dashboard config check`.",
            "projects:",
            f"  {project}:",
            *_fields(),
            "",
        ]
    )


def _fields() -> Iterator[str]:
    for name, field in Project.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        value = "" if default is None else f" {json.dumps(default, default=lambda model: model.model_dump())}"
        yield f"    # {name}:{value}  # {field.description}"


def server_unit(answers: Answers, program: str) -> str:
    """The unit of the whole server."""
    place = f"--host {answers.listen_host} --port {answers.listen_port}"
    files = f"--data {answers.data} --config {answers.folder / 'config.yaml'}"
    return f"""\
# Written by `build-dashboard setup`; to change it: systemctl edit {SERVER_UNIT}
[Unit]
Description=Build Dashboard
Wants=network-online.target
After=network-online.target

[Service]
{_account(answers)}WorkingDirectory={answers.folder}
ExecStart={program} up {place} {files}
Restart=always
RestartSec=2
# What is in flight is finished first.
TimeoutStopSec={STOP_SECONDS}
LimitNOFILE=65536
UMask=0077
NoNewPrivileges=yes
{_port_right(answers)}LockPersonality=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
ReadWritePaths={answers.folder}
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
"""


def agent_unit(answers: Answers, program: str) -> str:
    """The unit of the daemon that builds the projects of config.yaml, on this machine or another."""
    return f"""\
# Written by `build-dashboard setup`; to change it: systemctl edit {AGENT_UNIT}
[Unit]
Description=Build Dashboard agent
Wants=network-online.target
After=network-online.target

[Service]
{_account(answers)}# WS_ENDPOINT and BUILD_DASHBOARD_API_KEY, and HTTPS_PROXY and the like; mode 600.
EnvironmentFile={answers.folder / "agent.env"}
Environment=XDG_STATE_HOME=/var/lib/build-dashboard-agent
StateDirectory=build-dashboard-agent
WorkingDirectory=/var/lib/build-dashboard-agent
ExecStart={program} agent --config {answers.folder / "config.yaml"}
Restart=always
RestartSec=5
# Builds outlive a restart of the agent, which then goes on with them.
KillMode=process
# A compiler that the kernel kills for its memory fails its build, not the agent.
OOMPolicy=continue
# LLVM's links need more open files than the default.
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""


def caddyfile(answers: Answers) -> str:
    """The front: TLS, and a gateway that is restarted is waited for."""
    port = urlsplit(answers.url).port or HTTPS_PORT
    name = answers.hostname if port == HTTPS_PORT else f"{answers.hostname}:{port}"
    own = f"\ttls {answers.certificate} {answers.certificate_key}\n" if answers.tls == "own" else ""
    email = f"\temail {answers.acme_email}\n" if answers.acme_email else ""
    return f"""\
# TLS for the dashboard; Caddy renews an ACME certificate by itself, your own one after `systemctl reload caddy`.
{{
{email}	servers {{
		timeouts {{
			# No time-out for bodies, artifacts are large; none for WebSockets, which the gateway pings.
			read_header 10s
			idle 5m
		}}
	}}
}}

{name} {{
{own}	reverse_proxy {answers.listen_host}:{answers.listen_port} {{
		# A server that is restarted is waited for, instead of a 502.
		lb_try_duration 15s
		lb_try_interval 250ms
		transport http {{
			dial_timeout 5s
		}}
	}}
}}
"""


def _account(answers: Answers) -> str:
    return f"User={answers.user}\n" if answers.user else ""


def _port_right(answers: Answers) -> str:
    """No right of root's but, where it is needed, that to listen on a port below 1024."""
    if answers.listen_port >= FIRST_FREE_PORT:
        return "CapabilityBoundingSet=\n"
    return "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n"


def secret_files(answers: Answers) -> dict[str, Path]:
    """The files of secrets that these answers need, by what they hold."""
    if answers.mail == "sendgrid":
        return {SENDGRID_KEY: answers.secrets / SENDGRID_KEY}
    if answers.mail == "smtp" and answers.smtp_username:
        return {SMTP_PASSWORD: answers.secrets / SMTP_PASSWORD}
    return {}
