#include "node/program.hpp"

#include <stdlib.h>

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <map>
#include <set>

#include "node/agent.hpp"
#include "node/drivers/driver.hpp"
#include "node/drivers/supervisor.hpp"
#include "node/join.hpp"
#include "node/memory.hpp"
#include "node/state_dirs.hpp"
#include "protocol/log/log.hpp"
#include "storage/files.hpp"

namespace clarity {
namespace {

constexpr const char* usage = R"(orchestrix-agent: runs a server's part of its site

  orchestrix-agent [--config FILE]           run (default /etc/orchestrix/agent.yml)
  orchestrix-agent enrol [--config FILE] [--coordinator URL] [--token T] [--server NAME]
                                             join the site now, then end
  orchestrix-agent probe                     say which kinds of artifacts this host can run
  orchestrix-agent purge [--config FILE]     stop and remove every service (agent stopped)
  orchestrix-agent supervise SPEC            keep one process running (used by the agent)
  orchestrix-agent --version | --help
)";

int die(const Error& error) {
    std::fprintf(stderr, "orchestrix-agent: %s\n", error.message.c_str());
    return 1;
}

int die_of_usage(const std::string& what) {
    std::fprintf(stderr, "orchestrix-agent: %s\n%s", what.c_str(), usage);
    return 2;
}

struct Arguments {
    std::string command;  ///< empty = run
    std::map<std::string, std::string> options;
};

Result<Arguments> parse_arguments(int argc, char** argv) {
    static const std::set<std::string> commands{"run", "enrol", "probe", "purge"};
    static const std::set<std::string> options{"--config", "--coordinator", "--token", "--server"};
    Arguments out;
    for (int i = 1; i < argc; ++i) {
        const std::string text = argv[i];
        const auto equals = text.find('=');
        const auto name = text.substr(0, equals);
        if (options.contains(name)) {
            if (equals != std::string::npos) out.options[name] = text.substr(equals + 1);
            else if (++i < argc) out.options[name] = argv[i];
            else return fail(Errc::invalid, "{} wants a value", name);
        } else if (out.command.empty() && commands.contains(text)) {
            out.command = text;
        } else {
            return fail(Errc::invalid, "unknown argument \"{}\"", text);
        }
    }
    if (out.command == "run") out.command.clear();
    return out;
}

Result<AgentConfig> configure(const Arguments& arguments) {
    const auto given = arguments.options.find("--config");
    const std::string path =
        given == arguments.options.end() ? "/etc/orchestrix/agent.yml" : given->second;
    CLARITY_TRY(auto loaded, load_agent_config(path));
    const auto take = [&](const char* option, std::string& into) {
        const auto at = arguments.options.find(option);
        if (at != arguments.options.end()) into = at->second;
    };
    take("--coordinator", loaded.config.coordinator);
    take("--token", loaded.config.join_token);
    take("--server", loaded.config.server);
    log::Settings settings{"orchestrix-agent", log::Level::info, loaded.config.log_json};
    (void)log::level_from(loaded.config.log_level, settings.level);
    log::start(settings);
    for (const auto& warning : loaded.warnings) log::warning("{}", warning);
    return std::move(loaded.config);
}

Result<std::unique_ptr<KeyValueStore>> open_store(const AgentConfig& config) {
    CLARITY_CHECK(make_state_dirs(config.state_dir));
    auto store = KeyValueStore::open(config.state_dir + "/db");
    if (!store && store.error().code == Errc::conflict) {
        return fail(Errc::conflict, "{}: another agent runs with this state_dir; stop it first",
                    config.state_dir);
    }
    return store;
}

Result<void> enrol_only(const AgentConfig& config) {
    CLARITY_TRY(auto store, open_store(config));
    constexpr std::uint32_t tries = 3;
    CLARITY_TRY(const auto joined, join_site(config, *store, tries));
    std::printf("enrolled: %s of site %s\n", joined.identity.hostname.c_str(),
                joined.identity.site.c_str());
    return {};
}

Result<void> run(const AgentConfig& config) {
    CLARITY_TRY(auto store, open_store(config));
    CLARITY_TRY(auto joined, join_site(config, *store, 0));
    boost::asio::io_context loop(1);
    CLARITY_TRY(auto agent, Agent::start(loop, config, std::move(joined.identity), *store,
                                         std::move(joined.trust)));
    boost::asio::signal_set signals(loop, SIGTERM, SIGINT);
    signals.async_wait([&](const auto& error, int) {
        if (error) return;
        log::info("leaving; services stay");
        agent->leave([&] { loop.stop(); });
        signals.async_wait([&](const auto&, int) { loop.stop(); });
    });
    loop.run();
    agent.reset();
    return {};
}

Result<void> probe() {
    char folder[] = "/tmp/orchestrix-probe-XXXXXX";
    if (mkdtemp(folder) == nullptr) return fail(Errc::io, "/tmp: no folder can be made there");
    DriverSettings settings;
    settings.node_id = "probe";
    settings.state_dir = folder;
    settings.service_root = std::string(folder) + "/services";
    auto drivers = make_drivers(settings);
    if (drivers) {
        std::map<std::string, std::shared_ptr<Driver>> by_name;
        for (const auto& [type, driver] : *drivers) by_name[std::string(driver->name())] = driver;
        for (const auto& [name, driver] : by_name) {
            const auto can = driver->probe();
            const auto line = can ? name + ": yes" : name + ": no: " + can.error().message;
            std::printf("%s\n", line.c_str());
        }
    }
    (void)remove_all(folder);
    if (!drivers) return tl::unexpected<Error>(drivers.error());
    return {};
}

Result<void> purge(const AgentConfig& config) {
    CLARITY_TRY(auto store, open_store(config));
    CLARITY_TRY(const auto identity, load_identity(config.state_dir));
    if (!identity.enrolled()) return {};
    CLARITY_TRY(const auto trust, TrustStore::open(*store, identity.site));
    const auto* plan = trust.plan();
    const auto* own = plan == nullptr ? nullptr : plan->find(identity.server_id);
    if (own == nullptr) return {};
    DriverSettings settings;
    settings.node_id = identity.server_id;
    settings.state_dir = config.state_dir + "/deploy";
    settings.service_root = config.state_dir + "/services";
    settings.docker_socket = config.docker_socket;
    settings.service_manager = config.service_manager;
    CLARITY_TRY(const auto drivers, make_drivers(settings));
    Result<void> outcome;
    for (const auto& service : own->services) {
        const auto at = drivers.find(service.type);
        if (at == drivers.end()) continue;
        auto removed = at->second->remove(service.name);
        if (removed) std::printf("removed %s\n", service.name.c_str());
        else outcome = fail_within(service.name, std::move(removed));
    }
    return outcome;
}

}  // namespace

int run_agent_program(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "supervise") {
        return run_supervisor(argc - 1, argv + 1);
    }
    if (argc > 1 && std::string_view(argv[1]) == "--help") return std::fputs(usage, stdout) < 0;
    if (argc > 1 && std::string_view(argv[1]) == "--version") {
        return std::puts("orchestrix-agent " CLARITY_VERSION) < 0;
    }
    use_one_heap();
    std::signal(SIGPIPE, SIG_IGN);
    init_crypto();
    const auto arguments = parse_arguments(argc, argv);
    if (!arguments) return die_of_usage(arguments.error().message);
    Result<void> outcome;
    if (arguments->command == "probe") {
        outcome = probe();
    } else {
        const auto config = configure(*arguments);
        if (!config) return die(config.error());
        if (arguments->command == "enrol") outcome = enrol_only(*config);
        else if (arguments->command == "purge") outcome = purge(*config);
        else outcome = run(*config);
    }
    return outcome ? 0 : die(outcome.error());
}

}  // namespace clarity
