#include <algorithm>
#include <set>

#include "protocol/inventory/read.hpp"
#include "protocol/inventory/rules.hpp"

namespace clarity::inventory {
namespace {

std::vector<std::string> artifact_ids(const Inventory& inventory) {
    std::vector<std::string> out;
    for (const auto& [id, artifact] : inventory.artifacts) out.push_back(id);
    return out;
}

void check_repository(Reading& in, const Place& place, const std::string& repository) {
    if (repository.empty() || in.out.repositories.contains(repository)) return;
    std::vector<std::string> known;
    for (const auto& [id, each] : in.out.repositories) known.push_back(id);
    in.problems.error(place.file, place.line,
                      fmt::format("repository \"{}\" is not in repositories/config.yml{}",
                                  repository, yaml::hint(repository, known)));
}

void check_dependencies(Reading& in, const Place& place, const std::string& artifact,
                        const std::vector<Dependency>& dependencies) {
    std::set<std::string> seen;
    for (const auto& each : dependencies) {
        if (each.artifact.empty()) continue;
        if (!seen.insert(each.artifact).second) {
            in.problems.error(
                place.file, place.line,
                fmt::format("\"{}\" depends on \"{}\" twice", artifact, each.artifact));
        }
        if (!in.out.artifacts.contains(each.artifact)) {
            in.problems.error(place.file, place.line,
                              fmt::format("\"{}\" depends on \"{}\", which is not in artifacts/"
                                          "registry.yml{}",
                                          artifact, each.artifact,
                                          yaml::hint(each.artifact, artifact_ids(in.out))));
        }
    }
}

/// Depth-first, without recursion: a chain may be as long as the registry. Each circle is told
/// once.
class Circles {
  public:
    explicit Circles(Reading& in) : in_(in) {
        for (const auto& [id, artifact] : in.out.artifacts) add(id, artifact.dependencies);
        for (const auto& each : in.out.versions) add(each.artifact, each.dependencies);
    }

    void find() {
        for (const auto& [id, next] : edges_) walk(id);
    }

  private:
    void add(const std::string& from, const std::vector<Dependency>& dependencies) {
        for (const auto& each : dependencies) edges_[from].insert(each.artifact);
    }

    void walk(const std::string& start) {
        if (done_.contains(start)) return;
        struct Step {
            std::string id;
            std::set<std::string>::const_iterator next;
        };
        std::vector<Step> path{{start, edges_[start].begin()}};
        std::set<std::string> open{start};
        while (!path.empty()) {
            auto& step = path.back();
            const auto edges = edges_.find(step.id);
            if (edges == edges_.end() || step.next == edges->second.end()) {
                done_.insert(step.id);
                open.erase(step.id);
                path.pop_back();
                continue;
            }
            const auto to = *step.next++;
            if (open.contains(to)) {
                std::vector<std::string> circle;
                auto at = std::find_if(path.begin(), path.end(),
                                       [&](const Step& each) { return each.id == to; });
                for (; at != path.end(); ++at) circle.push_back(at->id);
                circle.push_back(to);
                tell(circle);
            } else if (edges_.contains(to) && !done_.contains(to)) {
                open.insert(to);
                path.push_back({to, edges_[to].begin()});
            }
        }
    }

    void tell(const std::vector<std::string>& circle) {
        std::string text;
        for (const auto& each : circle) text += (text.empty() ? "" : " -> ") + each;
        const auto at = in_.out.artifacts.find(circle.front());
        const Place place =
            at == in_.out.artifacts.end() ? Place{"artifacts/versions.yml", 0} : at->second.place;
        in_.problems.error(place.file, place.line,
                           fmt::format("dependencies go round in a circle: {}: remove one", text));
    }

    Reading& in_;
    std::map<std::string, std::set<std::string>> edges_;
    std::set<std::string> done_;
};

}  // namespace

void check_artifacts(Reading& in) {
    for (const auto& [id, artifact] : in.out.artifacts) {
        check_repository(in, artifact.place, artifact.repository);
        check_dependencies(in, artifact.place, id, artifact.dependencies);
    }
    for (const auto& each : in.out.versions) {
        if (!each.artifact.empty() && !in.out.artifacts.contains(each.artifact)) {
            in.problems.error(
                each.place.file, each.place.line,
                fmt::format("artifact \"{}\" is not in artifacts/registry.yml{}", each.artifact,
                            yaml::hint(each.artifact, artifact_ids(in.out))));
        }
        check_repository(in, each.place, each.repository);
        check_dependencies(in, each.place, each.artifact, each.dependencies);
    }
    Circles(in).find();
}

void check_profiles(Reading& in) {
    std::map<std::string, Place> ids;
    for (const auto& profile : in.out.profiles) {
        const auto& file = profile.place.file;
        if (!profile.id.empty()) {
            const auto [at, fresh] = ids.emplace(profile.id, profile.place);
            if (!fresh && at->second.file != file) {
                in.problems.error(file, profile.place.line,
                                  fmt::format("profile id \"{}\" is in {}:{} too", profile.id,
                                              at->second.file, at->second.line));
            }
        }
        if (!in.out.artifacts.contains(profile.artifact)) {
            in.problems.error(
                file, profile.place.line,
                fmt::format("artifact \"{}\" is not in artifacts/registry.yml{}", profile.artifact,
                            yaml::hint(profile.artifact, artifact_ids(in.out))));
            continue;
        }
        std::vector<std::string> known;
        const auto& current = in.out.artifacts.at(profile.artifact).version;
        if (!current.empty()) known.push_back(current);
        for (const auto& each : in.out.versions) {
            if (each.artifact == profile.artifact) known.push_back(each.version);
        }
        if (!profile.version.empty() && is_semantic_version(profile.version) &&
            std::find(known.begin(), known.end(), profile.version) == known.end()) {
            in.problems.error(
                file, profile.version_line,
                fmt::format("{}@{} is not in artifacts/versions.yml{}", profile.artifact,
                            profile.version, yaml::hint(profile.version, known)));
        }
    }
}

}  // namespace clarity::inventory
