"""The inventory that end-to-end tests publish: one client, one datacenter, N servers."""
from pathlib import Path


def write(folder, origin_url, servers, services, config="greeting: hello\n"):
    """`servers`: hostname → address. `services`: the profile's text by artifact id, with its type
    and version: {id: (type, version, configuration text[, hostnames it is for])}."""
    folder = Path(folder)

    def put(name, text):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    put("config.yml", f"repository:\n  origin_url: {origin_url}\n{config}")
    put("repositories/config.yml", "repository_config:\n  origin:\n    type: http\n"
        "    base_url: ${CONFIG:repository.origin_url}\n    auth:\n      type: none\n")
    put("clients/acme/metadata.yml", "client:\n  id: 5f0c4a4e-6a51-4f0b-9f8e-0d6c6b1f2a01\n"
        "  name: Acme\n  code: acme\n  contact_info:\n    email: ops@acme.example\n"
        "    phone: \"+1 555 0100\"\n  created_at: 2026-01-31T12:00:00Z\n  status: active\n")
    put("clients/acme/datacenters.yml", "datacenters:\n"
        "  - id: 5f0c4a4e-6a51-4f0b-9f8e-0d6c6b1f2a02\n"
        "    client_id: 5f0c4a4e-6a51-4f0b-9f8e-0d6c6b1f2a01\n    name: One\n    code: dc-1\n"
        "    type: edge\n")
    put("clients/acme/servers.yml", "servers:\n" + "".join(
        f"  - id: 5f0c4a4e-6a51-4f0b-9f8e-{number:012d}\n    datacenter_id: dc-1\n"
        f"    hostname: {name}\n    ip_addresses:\n      management: {address}\n"
        for number, (name, address) in enumerate(servers.items(), 1)))
    put("artifacts/registry.yml", "artifacts:\n" + "".join(
        f"  - id: {name}\n    name: {name}\n    type: {kind}\n    repository: origin\n"
        for name, (kind, *_) in services.items()))
    put("artifacts/versions.yml", "versions:\n" + "".join(
        f"  - artifact_id: {name}\n    version: {version}\n    repository: origin\n"
        f"    path: {name}-{version}\n" for name, (_, version, *_) in services.items()))
    for old in (folder / "profiles/prod").glob("*.yml"):
        old.unlink()
    for name, (_, version, configuration, *where) in services.items():
        targets = "".join(f"        - hostname: {host}\n" for host in where[0]) if where else ""
        indented = "".join("        " + line + "\n" for line in configuration.splitlines())
        put(f"profiles/prod/{name}.yml", f"deployment_profile:\n  id: acme-prod-{name}\n"
            f"  client_id: acme\n  environment: prod\n  artifacts:\n"
            f"    - artifact_id: {name}\n      version: {version}\n"
            f"      configuration:\n{indented}"
            + (f"      target_servers:\n{targets}" if targets else ""))
    put("templates/beacon.conf", "listen = ${CONFIG:server.management_ip}\nport = 8080\n"
        "greeting = ${CONFIG:greeting}\ndatacenter = ${CONFIG:datacenter.code}\n")
    put("templates/prometheus.yml", "global:\n  scrape_interval: 5s\nscrape_configs:\n"
        "  - job_name: agents\n    static_configs:\n      - targets:\n" + "".join(
            f"          - {address}:8474\n" for address in servers.values()))


BEACON = """env_vars:
  BEACON_TOKEN: ${SECRET:beacon_token}
config_files:
  - path: /etc/edge-beacon/${CONFIG:server.hostname}.conf
    content: ${TEMPLATE:beacon.conf}
command: [edge-beacon, "/etc/edge-beacon/${CONFIG:server.hostname}.conf"]
ports:
  - {internal: 8080, external: 8080}
autostart: true
restart_policy: always
startup: {stable_s: 1, timeout_s: 30, tcp_port: 8080, address: "${CONFIG:server.management_ip}"}
"""

PROMETHEUS = """config_files:
  - path: /etc/prometheus/prometheus.yml
    content: ${TEMPLATE:prometheus.yml}
    mode: "0644"
command: [/usr/bin/prometheus, --config.file=/etc/prometheus/prometheus.yml,
          --storage.tsdb.path=/prometheus, "--web.listen-address=${CONFIG:server.management_ip}:9090"]
ports:
  - {internal: 9090, external: 9090}
network: host
autostart: true
restart_policy: always
startup: {stable_s: 1, timeout_s: 60, tcp_port: 9090, address: "${CONFIG:server.management_ip}",
          http_path: /-/ready}
"""
