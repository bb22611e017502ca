#include "cli/commands.hpp"
#include "cli/documents.hpp"
#include "cli/session.hpp"
#include "protocol/http/client.hpp"
#include "protocol/manifest.hpp"
#include "protocol/plan.hpp"
#include "storage/files.hpp"

namespace clarity::cli {
namespace {

struct Named {
    std::string name;
    Envelope envelope;
};

/// The plan and its manifests, each checked as an agent will.
Result<std::vector<Named>> plan_documents(const Api& api, const Root& root, const std::string& id,
                                          std::string& site) {
    std::vector<Named> out;
    CLARITY_TRY(const auto answer, api.get("/api/v1/deployments/" + url_encode(id) + "/envelope"));
    CLARITY_TRY(auto envelope, envelope_from(answer));
    CLARITY_CHECK(envelope.verify(payload_type::plan, *root.find(role::coordinator)));
    CLARITY_TRY(const auto plan, Plan::decode(envelope.payload));
    site = plan.site();
    for (const auto& digest : plan.manifests) {
        CLARITY_TRY(const auto each, api.get("/api/v1/manifests/" + digest.hex()));
        CLARITY_TRY(auto manifest, envelope_from(each));
        CLARITY_TRY(const auto read, verify_manifest(root, manifest));
        out.push_back({"manifest-" + read.artifact + "@" + read.version, std::move(manifest)});
    }
    out.push_back({fmt::format("plan-{}", plan.seq), std::move(envelope)});
    return out;
}

Result<ExitCode> run(Session& session, const Arguments& arguments) {
    CLARITY_TRY(const auto api, session.api());
    CLARITY_TRY(const auto root, session.root());
    std::string site;
    CLARITY_TRY(auto documents, plan_documents(api, root, arguments.text("DEPLOYMENT"), site));
    CLARITY_TRY(const auto roots, session.root_chain(1, root.version));
    for (std::size_t i = 0; i < roots.size(); ++i) {
        documents.push_back({fmt::format("root-{}", i + 1), roots[i]});
    }
    CLARITY_TRY(const auto path, site_path(site));
    CLARITY_TRY(const auto answer, api.get("/api/v1/sites/" + path + "/roster"));
    CLARITY_TRY(auto roster, envelope_from(answer));
    CLARITY_TRY(const auto members, verify_roster(root, site, roster));
    documents.push_back({fmt::format("roster-{}", members.epoch), std::move(roster)});

    // Everything is here and checked before the first file is written.
    const auto folder = arguments.text("DIR");
    CLARITY_CHECK(make_dirs(folder));
    Json files = Json::array();
    for (const auto& each : documents) {
        CLARITY_TRY(auto file, write_document(folder, each.name, each.envelope));
        files.push_back(std::move(file));
    }
    session.note("{}: {} documents for site {}; there: clarity deliver {}", folder,
                 documents.size(), site, folder);
    const Json json{{"site", site}, {"files", files}};
    session.emit(json, [&] {
        std::string text;
        for (const auto& file : files) text += file.get<std::string>() + "\n";
        return text;
    });
    return ExitCode::done;
}

}  // namespace

Command deployments_export_command() {
    return {.path = "deployments export",
            .summary = "write a plan and all it needs into files, for a site out of reach",
            .arguments = {positional("DEPLOYMENT", "its id"),
                          positional("DIR", "folder for the files; made where it is not there")},
            .run = run,
            .details =
                "Writes the signed plan, the manifests it names, the site's roster and all roots.\n"
                "Configuration and secrets in the plan are sealed to the servers' keys. At the\n"
                "site: clarity deliver DIR. The artifacts' bytes are not in it: servers that lack\n"
                "them still get them from the repository."};
}

}  // namespace clarity::cli
