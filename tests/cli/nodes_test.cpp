// Goal: with the coordinator away, any node of a roster stored here answers `clarity status`.
// Method: a coordinator that vouches for a roster and then goes, and a node that is the real
// transport with CURVE and an answer written by the test.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "protocol/query.hpp"
#include "protocol/roster.hpp"
#include "protocol/wire/wire.hpp"
#include "tests/cli/person.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

/// Answers every question with the same status.
class FakeNode {
  public:
    explicit FakeNode(const std::string& socket = {}) {
        wire::Settings settings;
        settings.secret = key.curve_secret();
        settings.post = [this](auto work) { boost::asio::post(loop_, std::move(work)); };
        wire_ = must(wire::Wire::start(std::move(settings)));
        listener = must(wire_->listen(how("tcp://127.0.0.1:0", true)));
        if (!socket.empty()) (void)must(wire_->listen(how("ipc://" + socket, false)));
        thread_ = std::thread([this] { loop_.run(); });
    }
    ~FakeNode() {
        wire_.reset();
        guard_.reset();
        loop_.stop();
        thread_.join();
    }
    void let_in(const PublicKey& observer) {
        wire_->set_authorised(listener.id, {{must(curve_public(observer)), "observer"}});
    }
    static Json status() {
        return Json{{"site", "acme/dc-1"}, {"answered_by", "edge-1"}, {"servers", Json::array()}};
    }

    SigningKey key = SigningKey::generate();
    wire::Listener listener;

  private:
    template <class T>
    static T must(Result<T> result) {
        if (!result) throw std::runtime_error(result.error().message);
        return *std::move(result);
    }
    wire::ListenSettings how(std::string endpoint, bool curve) {
        wire::ListenSettings settings;
        settings.endpoint = std::move(endpoint);
        settings.curve = curve;
        settings.on_frame = [this](const std::string&, const wire::Handle& from, Bytes frame) {
            if (query::decode_question(frame)) {
                wire_->reply(from, query::encode_answer(to_text(status())));
            }
        };
        return settings;
    }

    boost::asio::io_context loop_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
        loop_.get_executor()};
    std::unique_ptr<wire::Wire> wire_;
    std::thread thread_;
};

/// The coordinator's root and a roster with a dead node first, then this one.
void vouch(FakeCoordinator& fake, const FakeNode& node) {
    Root root;
    root.roles[role::root] = Role{{fake.key().public_key()}, 1};
    root.roles[role::coordinator] = Role{{fake.key().public_key()}, 1};
    root.roles[role::artifact] = Role{{fake.key().public_key()}, 1};
    auto root_envelope = Envelope::make(payload_type::root, root.encode());
    root_envelope.sign(fake.key());
    Roster roster;
    roster.site = "acme/dc-1";
    roster.epoch = 1;
    roster.members = {
        {"id-0", "edge-0", SigningKey::generate().public_key(), "tcp://127.0.0.1:9", ""},
        {"id-1", "edge-1", node.key.public_key(), node.listener.endpoint, ""}};
    auto roster_envelope = Envelope::make(payload_type::roster, roster.encode());
    roster_envelope.sign(fake.key());
    fake.on("GET /api/v1/root", Json{{"envelope", to_base64(root_envelope.encode())}});
    fake.on("GET /api/v1/sites/acme/dc-1/roster",
            Json{{"envelope", to_base64(roster_envelope.encode())}});
}

PublicKey observer_of(const FakeCoordinator& fake) {
    const auto body = parse_json(fake.received("POST /api/v1/observers").at(0)).value();
    return PublicKey::from_hex(body.at("public_key").get<std::string>()).value();
}

}  // namespace

TEST_CASE("status: with the coordinator away, the nodes of the stored roster are asked", "[cli]") {
    const Person person;
    FakeNode node;
    {
        FakeCoordinator fake;
        vouch(fake, node);
        person.login(fake);
        node.let_in(observer_of(fake));
    }
    const auto done = person.run({"status", "-o", "json"});
    CAPTURE(done.err);
    CHECK(done.code == 0);
    CHECK(parse_json(done.out).value() == FakeNode::status());
    CHECK(has(done.err, "asking the nodes"));
    CHECK(has(done.err, "edge-0: tcp://127.0.0.1:9"));
    CHECK(has(done.err, "answered by edge-1"));

    const auto address = node.listener.endpoint.substr(6);
    const auto named = person.run({"status", "-o", "json", "--node", address});
    CAPTURE(named.err);
    CHECK(named.code == 0);
    CHECK(parse_json(named.out).value() == FakeNode::status());
    CHECK(person.run({"status", "--node", "edge-1"}).code == 0);
    CHECK(person.run({"status", "--node", "127.0.0.7"}).code == 1);
}

TEST_CASE("status: a node that does not let this person in is not an answer", "[cli]") {
    const Person person;
    FakeNode node;
    {
        FakeCoordinator fake;
        vouch(fake, node);
        person.login(fake);
    }
    node.let_in(SigningKey::generate().public_key());
    const auto done = person.run({"status", "--node", "edge-1", "--timeout", "3s"});
    CAPTURE(done.err);
    CHECK((done.code == 6 || done.code == 7));
    CHECK(done.out.empty());
}

TEST_CASE("status: a local agent answers on its socket without any login", "[cli]") {
    const Person person;
    const auto socket = person.home.path() + "/query.sock";
    const FakeNode node(socket);
    const auto done = person.run({"status", "-o", "yaml", "--socket", socket});
    CAPTURE(done.err);
    CHECK(done.code == 0);
    CHECK(done.out.starts_with("site: acme/dc-1\nanswered_by: edge-1\n"));
    const auto none = person.run({"status", "--socket", socket + ".not", "--timeout", "1s"});
    CAPTURE(none.err);
    CHECK((none.code == 5 || none.code == 7));
    CHECK(has(none.err, socket + ".not"));
}
