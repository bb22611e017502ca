#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "node/address_book.hpp"
#include "node/mesh_links.hpp"
#include "node/record_book.hpp"
#include "protocol/mesh/mesh.hpp"
#include "protocol/roster.hpp"
#include "protocol/wire/wire.hpp"

namespace clarity {

struct MeshDriverSettings {
    std::string site;
    std::string self;
    std::uint64_t seed = 1;
    std::uint64_t incarnation = 1;  ///< first to use: above every one used before
    LinkSettings links = {};        ///< `self` and `seed` are taken from above
    /// As curve_public(), which takes its time; or what remembers.
    std::function<Result<CurveKey>(const PublicKey&)> curve_of = curve_public;
};

/// All run on the loop, not from inside a call into the driver's setters.
struct MeshCallbacks {
    std::function<void()> changed;  ///< mesh() or book() did
    std::function<void(const mesh::DocumentAd&)> ad_seen;
    std::function<void(const mesh::DocumentAd&, const Bytes& body)> document;
    /// Must be on disk when it returns; until it succeeds nothing is sent.
    std::function<Result<void>(std::uint64_t)> store_incarnation;
    std::function<void()> record_jump;
    std::function<void(const mesh::Equivocation&)> equivocation;
};

/// Runs the mesh's state machine over the wire: carries out its effects and keeps its time. Which
/// connections are open is decided by MeshLinks, where they lead to by the AddressBook.
/// Loop thread only.
class MeshDriver {
  public:
    MeshDriver(boost::asio::io_context& loop, wire::Wire& net, MeshDriverSettings settings,
               MeshCallbacks callbacks);
    ~MeshDriver();

    /// Members and their addresses, also those that the cached roster gave at start.
    void set_roster(const Roster& roster);
    /// A mesh frame (without its channel byte) that came in at the listener.
    void receive(const std::string& member, const wire::Handle& from, std::string_view frame);
    void lost(const wire::Handle& handle);
    /// A member's own verified word, from outside the mesh, for where it is now.
    void heard(const std::string& member, const Endpoints& endpoints);
    /// Our own address changed: what is open leads back to the old one.
    void moved();
    /// What addresses().encode() gave in an earlier life; after the first set_roster().
    [[nodiscard]] Result<void> load_addresses(std::string_view bytes);

    void offer(const mesh::DocumentAd& ad, Bytes body);
    void withdraw(const Digest& digest);
    void want(const Digest& digest);
    [[nodiscard]] RecordVersion next_version() const;
    void set_own_record(RecordVersion version, Bytes envelope);
    void leave();

    [[nodiscard]] std::int64_t now_ms() const;
    /// For reading: members, records as they travel, counters.
    [[nodiscard]] const mesh::Mesh& mesh() const;
    /// The records decoded; our own included.
    [[nodiscard]] const RecordBook& book() const;
    /// When the newest record of another server was taken, on the mesh's clock; -1 = none yet.
    [[nodiscard]] std::int64_t record_received_ms() const;
    [[nodiscard]] const AddressBook& addresses() const;
    [[nodiscard]] const LinkCounters& link_counters() const;
    /// Open ones, whoever dialled; a pair has one.
    [[nodiscard]] std::size_t connections() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace clarity
