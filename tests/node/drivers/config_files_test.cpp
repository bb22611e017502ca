#include "host.hpp"
#include "node/drivers/config_files.hpp"

using namespace clarity;

TEST_CASE("configuration files: a folder in a file's place is refused and never removed") {
    const TempHost host;
    const auto folder = host.root + "/etc";
    const auto precious = folder + "/passwd";
    require_ok(make_dirs(folder, 0755));
    require_ok(write_file_atomic(precious, "root:x:0:0", 0644));
    const auto lists = host.root + "/lists";
    {
        ConfigFiles files(lists);
        const auto placed = files.place("app", {{folder, "text", 0640}}, {});
        REQUIRE_FALSE(placed);
        CHECK(placed.error().message.find("folder") != std::string::npos);
    }
    // After a restart, what the list names is taken away with the service.
    ConfigFiles again(lists);
    require_ok(again.remove("app"));
    CHECK(file_exists(precious));
}

TEST_CASE("configuration files: a file that became a folder stays when the service goes") {
    const TempHost host;
    const auto path = host.root + "/app.conf";
    ConfigFiles files(host.root + "/lists");
    require_ok(files.place("app", {{path, "text", 0640}}, {}));
    require_ok(remove_all(path));
    require_ok(make_dirs(path, 0755));
    require_ok(write_file_atomic(path + "/kept", "by somebody else", 0644));
    require_ok(files.remove("app"));
    CHECK(file_exists(path + "/kept"));
}
