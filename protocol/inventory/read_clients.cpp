#include "protocol/inventory/read.hpp"
#include "protocol/inventory/rules.hpp"

namespace clarity::inventory {
namespace {

using yaml::Map;
using yaml::Need;
using yaml::Value;

/// The top map of a file with one known key, e.g. `servers:`.
template <class Read>
void read_top(Reading& in, const std::string& path, std::string_view key, Read&& read) {
    const auto tree = parse_file(in, path);
    if (!tree) return;
    Map top(path, *tree, in.problems, "the file");
    if (tree->is_map() && tree->find(key) == nullptr) {
        top.error(1, fmt::format("the file has no \"{}:\" at its top", key));
    }
    read(top);
    top.finish();
}

void check_ip(Map& map, std::string_view key, const std::string& ip) {
    if (!ip.empty() && !is_ip_address(ip)) {
        map.error(map.line_of(key), fmt::format("\"{}\": \"{}\" is no IP address", key, ip));
    }
}

void read_location(Map& map, Datacenter& out) {
    map.child("location", [&](Map& location) {
        out.address = location.text("address");
        out.city = location.text("city");
        out.country = location.text("country");
        location.child("coordinates", [&](Map& at) {
            if (at.has("lat")) out.latitude = at.number("lat", -90, 90);
            if (at.has("long")) out.longitude = at.number("long", -180, 180);
            (void)at.take("lat"), (void)at.take("long");
        });
    });
}

Server read_server(Map& map) {
    Server out;
    out.place = {map.file(), map.line()};
    out.id = uuid_in(map);
    out.hostname = name_in(map, "hostname");
    map.child("ip_addresses", [&](Map& ips) {
        out.management_ip = ips.text("management", Need::required);
        check_ip(ips, "management", out.management_ip);
        out.public_ips = ips.texts("public");
        out.private_ips = ips.texts("private");
        for (const auto& ip : out.public_ips) check_ip(ips, "public", ip);
        for (const auto& ip : out.private_ips) check_ip(ips, "private", ip);
    });
    if (!map.has("ip_addresses")) {
        map.error(map.line(), "server has no \"ip_addresses\": its \"management\" is required");
    }
    map.child("specifications", [&](Map& spec) {
        out.kind = spec.choice("type", {"host", "vm", "container"});
        out.brand = spec.text("brand");
        out.model = spec.text("model");
        out.cpu_cores = spec.integer("cpu_cores", 1, 65536);
        out.ram_gb = spec.integer("ram_gb", 1, 1 << 20);
        out.storage_gb = spec.integer("storage_gb", 1, 1 << 30);
    });
    map.child("virtualization", [&](Map& virt) {
        out.hypervisor =
            virt.choice("hypervisor", {"kvm", "vmware", "xen", "lxc", "docker", "bare-metal"});
        out.host_server_id = virt.text("host_server_id");
    });
    map.child("os", [&](Map& os) {
        out.os_name = os.text("name");
        out.os_version = os.text("version");
    });
    map.child("agent", [](Map& agent) {
        agent.text("version");
        agent.choice("status", {"connected", "disconnected"});
        if (const auto at = agent.text("last_heartbeat"); !at.empty() && !is_timestamp(at)) {
            agent.error(agent.line_of("last_heartbeat"), "\"last_heartbeat\" is no timestamp");
        }
    });
    return out;
}

/// The code of the client's datacenter that `reference` names by id or code, or "".
std::string datacenter_code(Reading& in, const std::string& client, Map& map,
                            const std::string& reference) {
    std::vector<std::string> known;
    for (const auto& each : in.out.datacenters) {
        if (each.client != client) continue;
        if (each.id == reference || each.code == reference) return each.code;
        known.push_back(each.code);
        known.push_back(each.id);
    }
    if (!reference.empty()) {
        map.error(map.line_of("datacenter_id"),
                  fmt::format("\"datacenter_id\": \"{}\" is not in clients/{}/datacenters.yml{}",
                              reference, client, yaml::hint(reference, known)));
    }
    return "";
}

}  // namespace

void read_client(Reading& in, const std::string& code) {
    const auto path = "clients/" + code + "/metadata.yml";
    Client out;
    out.code = code;
    out.place = {path, 1};
    if (!is_name(code)) {
        in.problems.error(path, 0,
                          fmt::format("folder \"{}\": a client's code is made of letters, "
                                      "digits and ._-",
                                      code));
    }
    if (in.files.contains(path)) {
        read_top(in, path, "client", [&](Map& top) {
            top.child("client", [&](Map& map) {
                out.place.line = map.line();
                out.id = uuid_in(map);
                out.name = map.text("name", Need::required);
                const auto written = name_in(map, "code");
                if (!written.empty() && written != code) {
                    map.error(
                        map.line_of("code"),
                        fmt::format("code \"{}\" must be the folder's name \"{}\"", written, code));
                }
                map.child("contact_info", [&](Map& contact) {
                    out.email = contact.text("email");
                    out.phone = contact.text("phone");
                    if (!out.email.empty() && !is_email(out.email)) {
                        contact.error(contact.line_of("email"),
                                      fmt::format("\"{}\" is no e-mail address", out.email));
                    }
                });
                out.created_at = map.text("created_at");
                if (!out.created_at.empty() && !is_timestamp(out.created_at)) {
                    map.error(map.line_of("created_at"),
                              fmt::format("\"{}\" is no timestamp: write 2026-01-31T12:00:00Z",
                                          out.created_at));
                }
                out.active = map.choice("status", {"active", "inactive"}, "active") == "active";
            });
        });
    } else {
        in.problems.error(path, 0, "is missing: every client has one");
    }
    for (const auto& [other, client] : in.out.clients) {
        if (!out.id.empty() && client.id == out.id) {
            in.problems.error(path, out.place.line,
                              fmt::format("id \"{}\" is that of client {} too ({}:{})", out.id,
                                          other, client.place.file, client.place.line));
        }
    }
    in.out.clients[code] = std::move(out);
}

void read_datacenters(Reading& in, const std::string& code) {
    const auto path = "clients/" + code + "/datacenters.yml";
    if (!in.files.contains(path)) {
        in.problems.error(path, 0, "is missing: every client has one");
        return;
    }
    read_top(in, path, "datacenters", [&](Map& top) {
        top.each("datacenters", [&](Map& map) {
            Datacenter out;
            out.client = code;
            out.place = {path, map.line()};
            out.id = uuid_in(map);
            out.code = name_in(map, "code");
            out.name = map.text("name", Need::required);
            const auto& client = in.out.clients[code];
            if (const auto id = map.text("client_id");
                !id.empty() && id != client.id && id != code) {
                map.error(map.line_of("client_id"),
                          fmt::format("\"client_id\" \"{}\" is not this client's id \"{}\"", id,
                                      client.id));
            }
            read_location(map, out);
            out.type = map.choice("type", {"primary", "backup", "edge"});
            out.sl_no = map.text("sl_no");
            out.description = map.text("description");
            for (const auto& each : in.out.datacenters) {
                const bool same_id = !out.id.empty() && each.id == out.id;
                const bool same_code =
                    each.client == code && !out.code.empty() && each.code == out.code;
                if (same_id || same_code) {
                    map.error(map.line(),
                              fmt::format("datacenter {} \"{}\" is here twice (first at "
                                          "{}:{})",
                                          same_id ? "id" : "code", same_id ? out.id : out.code,
                                          each.place.file, each.place.line));
                }
            }
            in.out.datacenters.push_back(std::move(out));
        });
    });
}

void read_servers(Reading& in, const std::string& code) {
    const auto path = "clients/" + code + "/servers.yml";
    if (!in.files.contains(path)) {
        in.problems.error(path, 0, "is missing: every client has one");
        return;
    }
    read_top(in, path, "servers", [&](Map& top) {
        top.each("servers", [&](Map& map) {
            Server out = read_server(map);
            out.client = code;
            out.datacenter =
                datacenter_code(in, code, map, map.text("datacenter_id", Need::required));
            for (const auto& each : in.out.servers) {
                const auto twice = [&](std::string_view what, const std::string& value) {
                    map.error(map.line(),
                              fmt::format("server {} \"{}\" is here twice (first at {}:{})", what,
                                          value, each.place.file, each.place.line));
                };
                if (!out.id.empty() && each.id == out.id) twice("id", out.id);
                if (each.client != code) continue;
                if (!out.hostname.empty() && each.hostname == out.hostname) {
                    twice("hostname", out.hostname);
                }
                if (!out.management_ip.empty() && each.datacenter == out.datacenter &&
                    each.management_ip == out.management_ip) {
                    twice("management address", out.management_ip);
                }
            }
            in.out.servers.push_back(std::move(out));
        });
    });
}

}  // namespace clarity::inventory
