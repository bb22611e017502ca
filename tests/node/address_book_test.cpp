#include <catch2/catch.hpp>

#include "node/address_book.hpp"
#include "tests/support/documents.hpp"

using namespace clarity;
using namespace clarity::test;

namespace {

using List = std::vector<std::string>;
const std::string roster_mesh = "tcp://127.0.0.1:8472";
const std::string moved_mesh = "tcp://10.0.0.7:8472";
const std::string found_mesh = "tcp://10.0.0.8:8472";

}  // namespace

TEST_CASE("address book: the owner's newest word comes first, the roster's stays as a fallback") {
    AddressBook book;
    book.set_roster(sample_roster());
    CHECK(book.mesh("s-1") == List{roster_mesh});
    CHECK(book.mesh("s-9").empty());
    CHECK(book.learn("s-1", {2, 5}, {moved_mesh, "10.0.0.7:8473"}));
    CHECK(book.mesh("s-1") == List{moved_mesh, roster_mesh});
    CHECK(book.swarm("s-1") == List{"10.0.0.7:8473", "127.0.0.1:8473"});
    CHECK_FALSE(book.learn("s-1", {2, 4}, {"tcp://10.0.0.6:1", ""}));  // an old record, replayed
    CHECK(book.mesh("s-1") == List{moved_mesh, roster_mesh});
    CHECK_FALSE(book.learn("s-1", {2, 6}, {moved_mesh, "10.0.0.7:8473"}));
    CHECK_FALSE(book.learn("s-9", {1, 1}, {moved_mesh, ""}));
    CHECK(book.learn("s-1", {3, 1}, {roster_mesh, ""}));  // back home
    CHECK(book.mesh("s-1") == List{roster_mesh});
}

TEST_CASE("address book: where it answered is tried first until it says that it moved") {
    AddressBook book;
    book.set_roster(sample_roster());
    book.learn("s-1", {1, 1}, {moved_mesh, ""});
    book.answered("s-1", roster_mesh);
    CHECK(book.mesh("s-1") == List{roster_mesh, moved_mesh});
    book.learn("s-1", {1, 2}, {found_mesh, ""});
    CHECK(book.mesh("s-1") == List{found_mesh, roster_mesh});
}

TEST_CASE("address book: a LAN beacon tells where a member is now, until its next record does") {
    AddressBook book;
    book.set_roster(sample_roster());
    book.answered("s-1", roster_mesh);
    CHECK(book.heard("s-1", {found_mesh, ""}));
    CHECK_FALSE(book.heard("s-1", {found_mesh, ""}));
    CHECK(book.mesh("s-1") == List{found_mesh, roster_mesh});
    book.learn("s-1", {1, 1}, {moved_mesh, ""});
    CHECK(book.mesh("s-1") == List{moved_mesh, roster_mesh});
}

TEST_CASE("address book: what was learnt outlives a restart, but not its owner's key") {
    AddressBook book;
    book.set_roster(sample_roster());
    const auto before = book.changes();
    book.learn("s-1", {2, 5}, {moved_mesh, "10.0.0.7:8473"});
    book.answered("s-2", "tcp://127.0.0.2:8472");
    CHECK(book.changes() > before);
    const auto stored = book.encode();

    AddressBook again;
    again.set_roster(sample_roster());
    REQUIRE(again.load(stored));
    CHECK(again.mesh("s-1") == List{moved_mesh, roster_mesh});
    CHECK(again.encode() == stored);
    CHECK_FALSE(again.learn("s-1", {2, 4}, {found_mesh, ""}));

    auto other = sample_roster();
    other.members[0].key = fixed_key('9').public_key();
    AddressBook replaced;
    replaced.set_roster(other);
    REQUIRE(replaced.load(stored));
    CHECK(replaced.mesh("s-1") == List{roster_mesh});
    again.set_roster(other);  // while we run
    CHECK(again.mesh("s-1") == List{roster_mesh});
    CHECK(again.learn("s-1", {1, 1}, {found_mesh, ""}));

    auto fewer = sample_roster();
    fewer.members.erase(fewer.members.begin());
    again.set_roster(fewer);
    CHECK(again.mesh("s-1").empty());
    CHECK_FALSE(again.load("no msgpack at all"));
    CHECK(again.mesh("s-2").size() == 1);
}
