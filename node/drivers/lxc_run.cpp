#include "node/drivers/lxc_run.hpp"

#include <lxc/lxccontainer.h>
#include <sys/wait.h>

#include <memory>

#include "protocol/library/shared_library.hpp"

namespace clarity {
namespace {

/// What we use of liblxc, which is opened by the first container.
struct LibLxc {
    decltype(&::lxc_container_new) container_new = nullptr;
    decltype(&::lxc_container_put) container_put = nullptr;
};

Result<LibLxc> load() {
    CLARITY_TRY(const auto library, SharedLibrary::open("liblxc.so.1"));
    LibLxc out;
    CLARITY_CHECK(library.find("lxc_container_new", out.container_new));
    CLARITY_CHECK(library.find("lxc_container_put", out.container_put));
    return out;
}

const Result<LibLxc>& open_liblxc() {
    static const auto opened = load();
    return opened;
}

struct Put {
    void operator()(lxc_container* container) const { open_liblxc()->container_put(container); }
};
using Container = std::unique_ptr<lxc_container, Put>;

Container open_container(const std::string& lxc_path, const std::string& name) {
    const auto& lxc = open_liblxc();
    return Container(lxc ? lxc->container_new(name.c_str(), lxc_path.c_str()) : nullptr);
}

}  // namespace

int run_container(const std::string& lxc_path, const std::string& name,
                  const std::vector<std::string>& argv) {
    constexpr int not_started = 125;
    const auto container = open_container(lxc_path, name);
    if (!container || !container->is_defined(container.get())) return not_started;
    container->want_daemonize(container.get(), false);
    container->want_close_all_fds(container.get(), false);
    std::vector<char*> arguments;
    for (const auto& each : argv) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    const bool started =
        container->start(container.get(), 0, argv.empty() ? nullptr : arguments.data());
    const int status = container->error_num;
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    if (WEXITSTATUS(status) != 0) return WEXITSTATUS(status);
    return started ? 0 : not_started;
}

void kill_container(const std::string& lxc_path, const std::string& name) {
    const auto container = open_container(lxc_path, name);
    if (container && container->is_running(container.get())) container->stop(container.get());
}

int container_init_pid(const std::string& lxc_path, const std::string& name) {
    const auto container = open_container(lxc_path, name);
    if (!container || !container->is_running(container.get())) return 0;
    const int pid = container->init_pid(container.get());
    return pid > 0 ? pid : 0;
}

Result<void> check_container_config(const std::string& lxc_path, const std::string& name) {
    if (const auto& lxc = open_liblxc(); !lxc) return tl::unexpected<Error>(lxc.error());
    const auto container = open_container(lxc_path, name);
    if (!container) return fail(Errc::unavailable, "liblxc cannot be used here");
    if (!container->is_defined(container.get())) {
        return fail(Errc::invalid,
                    "LXC refuses the configuration of container {}: see lxc.* lines of the "
                    "artifact's config",
                    name);
    }
    return {};
}

}  // namespace clarity
