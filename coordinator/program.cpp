#include "coordinator/program.hpp"

#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/bootstrap.hpp"
#include "coordinator/config.hpp"
#include "coordinator/coordinator.hpp"
#include "protocol/keys.hpp"
#include "protocol/log/log.hpp"

namespace clarity::coordinator {
namespace {

constexpr auto usage =
    "usage: orchestrix [--config FILE] [--check | --fingerprint]\n"
    "\n"
    "The Clarity coordinator: inventory, plans, signatures, REST API and control service.\n"
    "\n"
    "  --config FILE   settings (default: /etc/orchestrix/coordinator.yml, which may be absent)\n"
    "  --check         read the settings, say what is wrong with them, and stop\n"
    "  --fingerprint   print the CA's SHA-256 fingerprint, which clarity login shows, and stop\n"
    "  --version       print the version\n"
    "  --help          print this\n";

struct Options {
    std::string config_path = default_config_path;
    bool config_given = false;
    bool check = false;
    bool fingerprint = false;
};

/// Exit code when the program has nothing more to do.
std::optional<int> parse(int argc, char** argv, Options& out) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view arg = argv[i];
        if (arg == "--help" || arg == "-h") {
            std::fputs(usage, stdout);
            return 0;
        }
        if (arg == "--version") {
            std::puts("orchestrix " CLARITY_VERSION);
            return 0;
        }
        if (arg == "--check") {
            out.check = true;
        } else if (arg == "--fingerprint") {
            out.fingerprint = true;
        } else if (arg == "--config" && i + 1 < argc) {
            out.config_path = argv[++i];
            out.config_given = true;
        } else if (arg.starts_with("--config=")) {
            out.config_path = arg.substr(9);
            out.config_given = true;
        } else {
            std::fprintf(stderr, "orchestrix: unknown argument \"%s\"\n%s", argv[i], usage);
            return 2;
        }
    }
    return std::nullopt;
}

int complain(const Error& error) {
    std::fprintf(stderr, "orchestrix: %s\n", error.message.c_str());
    return 1;
}

int print_fingerprint(const Config& config) {
    const auto fingerprint = ca_fingerprint(config);
    if (!fingerprint) return complain(fingerprint.error());
    std::puts(fingerprint->c_str());
    return 0;
}

int serve(const Config& config) {
    boost::asio::io_context loop;
    auto coordinator = Coordinator::start(loop, config);
    if (!coordinator) return complain(coordinator.error());
    log::info("REST API at {}, control service at {}, state in {}", (*coordinator)->rest_url(),
              (*coordinator)->control_endpoint(), config.state_dir);
    boost::asio::signal_set signals(loop, SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code& ec, int) {
        if (!ec) loop.stop();
    });
    loop.run();
    coordinator->reset();
    log::info("stopped");
    return 0;
}

}  // namespace

int run_program(int argc, char** argv) {
    Options options;
    if (const auto code = parse(argc, argv, options)) return *code;
    init_crypto();
    const auto loaded = load_config(options.config_path, options.config_given);
    if (!loaded) return complain(loaded.error());
    log::Settings logging{"orchestrix", log::Level::info, loaded->config.log_json};
    if (!log::level_from(loaded->config.log_level, logging.level)) {
        return complain(
            {Errc::invalid, fmt::format("{}: log.level \"{}\" is not debug, info, "
                                        "warning or error",
                                        options.config_path, loaded->config.log_level)});
    }
    log::start(logging);
    for (const auto& warning : loaded->warnings) log::warning("{}", warning);
    if (options.fingerprint) return print_fingerprint(loaded->config);
    return options.check ? 0 : serve(loaded->config);
}

}  // namespace clarity::coordinator
