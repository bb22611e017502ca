#include "protocol/inventory/inventory.hpp"

namespace clarity::inventory {
namespace {

constexpr const char* readme = R"(# Inventory

What runs where, for Clarity. `clarity validate` checks all of it, `clarity apply` uploads it,
`clarity plan` shows what would change, `clarity publish` makes it so.

    clients/<code>/metadata.yml      who the client is
    clients/<code>/datacenters.yml   its datacenters
    clients/<code>/servers.yml       its servers
    profiles/<env>/<artifact>.yml    what runs, with which configuration, where
    artifacts/registry.yml           the artifacts; versions.yml: their versions
    repositories/config.yml          where artifacts come from

Any text in a profile may hold ${CONFIG:key}, ${TEMPLATE:name} and ${SECRET:name}; `$${` is a
literal `${`. A key is looked up in the first of these that has it:

    clients/<code>/servers/<hostname>/config.yml
    clients/<code>/datacenters/<code>/config.yml
    profiles/<env>/config.yml
    clients/<code>/config.yml
    config.yml

and templates in the `templates/` folders beside them. Secrets are set with `clarity secret set` and
are never written here.
)";

constexpr const char* config =
    R"(# Configuration for everything: the last place a ${CONFIG:key} is looked up.
# Nested keys are joined by dots: this one is ${CONFIG:repository.origin_url}.
# Built in, and not set here: server.hostname, server.id, server.management_ip, datacenter.code,
# client.code, environment.
repository:
  origin_url: http://origin.example.com/artifacts
)";

constexpr const char* client_config =
    R"(# For this client only; wins over the config.yml at the top.
greeting: Hello from Acme
)";

constexpr const char* metadata = R"(client:
  id: 5f0c4a4e-6a51-4f0b-9f8e-0d6c6b1f2a01   # any UUID; unique in the inventory
  name: Acme Telecom
  code: acme                                 # the name of this folder
  contact_info:
    email: ops@acme.example
    phone: "+1 555 0100"
  created_at: 2026-01-31T12:00:00Z
  status: active                             # active | inactive
)";

constexpr const char* datacenters = R"(datacenters:
  - id: 5f0c4a4e-6a51-4f0b-9f8e-0d6c6b1f2a02
    client_id: 5f0c4a4e-6a51-4f0b-9f8e-0d6c6b1f2a01
    name: First datacenter
    code: dc-1                               # "acme/dc-1" names the site everywhere
    location:
      address: 1 Main Street
      city: Springfield
      country: US
      coordinates:
        lat: 39.8
        long: -89.65
    type: edge                               # primary | backup | edge
    sl_no: "1"
    description: A small site behind a slow link.
)";

constexpr const char* servers = R"(servers:
  - id: 5f0c4a4e-6a51-4f0b-9f8e-0d6c6b1f2a03
    datacenter_id: dc-1                      # id or code of a datacenter
    hostname: edge-1
    ip_addresses:
      management: 192.0.2.11                 # ${CONFIG:server.management_ip}
      public: []
      private: [10.0.0.11]
    specifications:
      type: vm                               # host | vm | container
      cpu_cores: 2
      ram_gb: 4
      storage_gb: 40
    virtualization:
      hypervisor: kvm                        # kvm | vmware | xen | lxc | docker | bare-metal
    os:
      name: Debian
      version: "12"
)";

constexpr const char* registry = R"(# What there is to deploy. Add the bytes with:
#   clarity artifact add hello@1.0.0 --type binary --repository origin \
#       --path hello/1.0.0/hello.tar.gz FILE
artifacts:
  - id: hello
    name: Hello service
    type: binary                             # jar | war | lxc | docker | binary | script
    description: Says hello on a port.
    repository: origin                       # an id in repositories/config.yml
    dependencies: []                         # - {artifact_id: other, version: ">=1.2.0"}
)";

constexpr const char* versions =
    R"(# Versions that profiles may name. The signed manifests have the real hashes.
versions:
  - artifact_id: hello
    version: 1.0.0                           # semantic version
    repository: origin
    path: hello/1.0.0/hello.tar.gz
)";

constexpr const char* repositories =
    R"(# Where artifacts come from, by id. Credentials belong into the vault: ${SECRET:name}.
repository_config:
  origin:
    type: http                               # http | ftp | sftp | s3 | artifactory | google-drive
    base_url: ${CONFIG:repository.origin_url}
    auth:
      type: none                             # none | basic | bearer | oauth2
)";

constexpr const char* profile = R"(# hello in production. The file's name is the artifact's id.
deployment_profile:
  id: acme-prod-hello
  client_id: acme                            # id or code; left out = every client
  environment: prod                          # the name of the folder
  artifacts:
    - artifact_id: hello
      version: 1.0.0
      configuration:
        env_vars:
          GREETING: ${CONFIG:greeting}
        config_files:
          - path: /etc/hello/hello.conf
            content: ${TEMPLATE:hello.conf}  # or base64, or plain text
            mode: "0640"
        ports:
          - internal: 8080
            external: 8080
        autostart: true
        restart_policy: always               # always | on-failure | unless-stopped | never
        startup:                             # when a start counts as good
          stable_s: 3
          timeout_s: 60
      target_servers:                        # left out = every server of the client
        - hostname: edge-1                   # or server_id, or datacenter
          priority: 0                        # lower goes first, across the site
  rollout:
    canary: 0                                # servers that go first, alone
    batch_size: 0                            # servers at a time; 0 = all
    auto_rollback: true
)";

constexpr const char* hello_template =
    R"(# Written on ${CONFIG:server.hostname} in ${CONFIG:datacenter.code}, ${CONFIG:environment}.
listen = ${CONFIG:server.management_ip}:8080
greeting = ${CONFIG:greeting}
)";

}  // namespace

Files scaffold() {
    return {{"README.md", readme},
            {"config.yml", config},
            {"clients/acme/config.yml", client_config},
            {"clients/acme/metadata.yml", metadata},
            {"clients/acme/datacenters.yml", datacenters},
            {"clients/acme/servers.yml", servers},
            {"clients/acme/datacenters/dc-1/config.yml",
             "# For this datacenter only; wins over environment, client and top.\n"},
            {"clients/acme/servers/edge-1/config.yml",
             "# For this server only; wins over everything.\n"},
            {"profiles/dev/config.yml", "# For environment dev, whichever the client.\n"},
            {"profiles/staging/config.yml", "# For environment staging.\n"},
            {"profiles/mock/config.yml", "# For environment mock.\n"},
            {"profiles/prod/config.yml", "# For environment prod; wins over client and top.\n"},
            {"profiles/prod/hello.yml", profile},
            {"artifacts/registry.yml", registry},
            {"artifacts/versions.yml", versions},
            {"repositories/config.yml", repositories},
            {"clients/acme/templates/README", "Templates for this client only.\n"},
            {"templates/hello.conf", hello_template}};
}

}  // namespace clarity::inventory
