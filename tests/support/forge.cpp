// Makes signed documents that a test wants to see refused.
//   forge plan OUTPUT --site CLIENT/DC --seq N [--key KEYFILE] [--type TYPE]
//   forge mutate INPUT OUTPUT    the same envelope with one payload byte changed
// TYPE: "roster" or any payload type, which the plan's bytes then claim to be.
// Without --key the plan is signed by a key that nobody knows. Prints the document's digest.
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "protocol/plan.hpp"

using namespace clarity;

namespace {

std::string slurp(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream out;
    out << file.rdbuf();
    return out.str();
}

int write_envelope(const Envelope& envelope, const std::string& path) {
    std::ofstream(path, std::ios::binary) << envelope.encode();
    std::printf("%s\n", envelope.digest().hex().c_str());
    return 0;
}

int forge_plan(const std::string& output, std::map<std::string, std::string> options) {
    const auto site = options["--site"];
    const auto slash = site.find('/');
    Plan plan;
    plan.id = "forged";
    plan.client = site.substr(0, slash);
    plan.datacenter = slash == std::string::npos ? "" : site.substr(slash + 1);
    plan.seq = std::stoull(options["--seq"]);
    auto key = SigningKey::generate();
    if (!options["--key"].empty()) {
        auto loaded = decode_key_file(slurp(options["--key"]), "");
        if (!loaded) {
            std::fprintf(stderr, "forge: %s\n", loaded.error().message.c_str());
            return 1;
        }
        key = *loaded;
    }
    const auto& wanted = options["--type"];
    const std::string type = wanted.empty()       ? std::string(payload_type::plan)
                             : wanted == "roster" ? std::string(payload_type::roster)
                                                  : wanted;
    auto envelope = Envelope::make(type, plan.encode());
    envelope.sign(key);
    return write_envelope(envelope, output);
}

int mutate(const std::string& input, const std::string& output) {
    auto envelope = Envelope::decode(slurp(input));
    if (!envelope || envelope->payload.empty()) return 1;
    envelope->payload.back() = static_cast<char>(envelope->payload.back() ^ 1);
    return write_envelope(*envelope, output);
}

}  // namespace

int main(int argc, char** argv) {
    init_crypto();
    const std::string verb = argc > 1 ? argv[1] : "";
    if (verb == "mutate" && argc == 4) return mutate(argv[2], argv[3]);
    if (verb != "plan" || argc < 3) {
        std::fprintf(stderr,
                     "usage: forge plan OUTPUT --site S --seq N [--key K] | mutate IN OUT\n");
        return 2;
    }
    std::map<std::string, std::string> options;
    for (int i = 3; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
    return forge_plan(argv[2], options);
}
