#pragma once

// Private to this folder.
#include <utility>

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <optional>
#include <set>

#include "node/swarm/base_choice.hpp"
#include "node/swarm/counters.hpp"
#include "node/swarm/fetch.hpp"
#include "node/swarm/prefix_hash.hpp"
#include "node/swarm/offenders.hpp"
#include "node/swarm/rate_limiter.hpp"
#include "node/swarm/session.hpp"
#include "node/swarm/swarm.hpp"
#include "node/swarm/worker.hpp"
#include "protocol/election.hpp"

namespace clarity {

[[nodiscard]] std::int64_t swarm_now_ms();       ///< steady
[[nodiscard]] std::int64_t swarm_now_unix_ms();  ///< wall clock

/// The swarm's state; all of it belongs to the loop's thread. Workers get copies and post back
/// through a weak pointer, so that a late answer finds nobody.
class Swarm::Impl : public std::enable_shared_from_this<Impl> {
  public:
    Impl(boost::asio::io_context& loop, SwarmSettings settings, ArtifactCache& cache,
         SwarmCallbacks callbacks);
    ~Impl();

    [[nodiscard]] Result<void> start();

    void set_peers(std::vector<SwarmPeer> peers);
    void set_site(SiteClaims site);
    void set_repositories(RepositorySet repositories);
    void pause_wan(bool paused, std::int64_t until_unix_s, std::function<void(Result<void>)> done);
    [[nodiscard]] std::optional<WanReport> wan() const;
    void want(const Manifest& manifest, std::string correlation_id,
              const std::vector<std::string>& candidates);
    void seed(const Manifest& manifest);
    void forget(const Digest& sha256);
    [[nodiscard]] std::vector<Holding> holdings() const;
    [[nodiscard]] std::vector<FetchClaim> claims() const;
    [[nodiscard]] std::vector<FetchPass> passes() const;
    [[nodiscard]] std::size_t connections() const;
    [[nodiscard]] std::map<std::string, std::uint64_t> offenders() const {
        return offenders_.counts();
    }
    [[nodiscard]] FetchTotals fetch_totals() const;
    [[nodiscard]] std::uint16_t port() const { return session_->port(); }

  private:
    enum class Phase {
        preparing,  ///< the cache makes the partial file
        running,    ///< pieces come in
        hashing,    ///< all are here; the whole file is being hashed
        complete,   ///< in the cache, offered
        resting,    ///< after trouble: prepared anew at retry_ms
    };

    /// Another version that a pull waits for; got from peers, never from an origin.
    struct Base {
        enum class State { none, choosing, coming, over };
        State state = State::none;
        Digest sha256;
        std::int64_t since_ms = 0;     ///< in this state
        std::uint64_t seen_bytes = 0;  ///< of its LAN bytes, as last looked at
        std::uint64_t life = 0;        ///< rises while it makes progress

        [[nodiscard]] bool pending() const {
            return state == State::choosing || state == State::coming;
        }
    };

    struct Item {
        Item(const Manifest& m, const election::Settings& settings, const std::string& self)
            : manifest(std::make_shared<const Manifest>(m)), election(settings, m.sha256, self) {}

        std::shared_ptr<const Manifest> manifest;
        election::Election election;
        std::string correlation_id;
        std::set<std::string> candidates;
        bool wanted = false;
        bool borrowed = false;  ///< only as a base: never elected for, first to be dropped
        Base base;
        Phase phase = Phase::preparing;
        std::uint64_t generation = 0;  ///< answers of workers for an older one are dropped
        std::vector<bool> have;
        std::uint32_t have_count = 0;
        std::vector<std::uint32_t> unmarked;      ///< pieces the cache's index does not know yet
        std::shared_ptr<swarm::PrefixHash> hash;  ///< the hash worker's, of the partial file
        std::uint32_t prefix = 0;                 ///< pieces from the start on that are here
        std::uint64_t hash_asked_bytes = 0;
        std::shared_ptr<swarm::FetchCounters> counters = std::make_shared<swarm::FetchCounters>();
        std::uint64_t lan_base_bytes = 0;  ///< of torrents before this one
        std::uint64_t lan_bytes = 0;       ///< of this torrent
        std::size_t peers = 0;
        std::int64_t lan_progress_ms = 0;
        std::uint64_t lan_progress_bytes = 0;  ///< lan_bytes then
        std::int64_t holder_since_ms = -1;     ///< an alive peer has it whole since then
        std::int64_t dialled_ms = 0;
        std::int64_t lonely_since_ms = -1;  ///< fewer connections than neighbours since then
        std::set<std::string> dialled;      ///< endpoints, at least once
        std::unique_ptr<swarm::Fetch> fetch;
        std::uint64_t fetch_id = 0;
        std::int64_t claim_since_unix_ms = 0;
        std::uint64_t rate_bytes_s = 0;
        std::uint64_t rate_from_bytes = 0;
        std::uint64_t told_rates = 0;
        std::uint64_t wan_counted_bytes = 0;  ///< of the counters, in the ledger
        std::uint64_t wan_from_bytes = 0;     ///< before this fetch
        std::deque<std::uint64_t> rates;      ///< of this fetch, one a second, newest last
        std::string pass_reason;              ///< would rather not fetch it, until
        std::int64_t pass_until_ms = 0;
        std::optional<FetchPass> told;  ///< what others hear of that, or of why it may not
        std::string error;
        bool error_passing = false;  ///< gone as soon as bytes come again
        bool troubled = false;       ///< libtorrent stopped it while the file was moved
        std::uint32_t troubles = 0;  ///< of the complete file's torrent
        std::uint32_t errors = 0;    ///< reported in a row
        std::int64_t retry_ms = 0;
    };

    boost::asio::io_context& loop_;
    SwarmSettings settings_;
    ArtifactCache& cache_;
    SwarmCallbacks callbacks_;
    boost::asio::steady_timer timer_;
    std::int64_t tick_due_ms_ = -1;  ///< the timer's; -1 = not set
    std::int64_t second_done_ms_ = 0;
    std::int64_t reported_ms_ = 0;
    std::uint64_t generations_ = 0;
    std::vector<SwarmPeer> peers_;
    SiteClaims site_;
    bool site_known_ = false;
    swarm::Offenders offenders_;
    std::int64_t started_ms_ = swarm_now_ms();
    RepositorySet repositories_;
    WanGate wan_gate_;
    WanLedger ledger_stored_;  ///< as on disk
    WanReport wan_;            ///< as last looked at
    std::map<Digest, Item> items_;
    std::map<std::uint64_t, std::unique_ptr<swarm::Fetch>> ending_;  ///< stopped, winding down
    std::uint64_t fetch_ids_ = 0;
    std::uint64_t rate_best_bytes_s_ = 0;
    FetchTotals totals_;
    std::uint64_t local_bytes_gone_ = 0;     ///< of artifacts that were forgotten
    swarm::CountsByArtifact stored_counts_;  ///< as on disk
    bool closing_ = false;
    bool change_due_ = false;
    bool change_now_ = false;
    std::shared_ptr<swarm::RateLimiter> limiter_;
    std::unique_ptr<swarm::TorrentSession> session_;
    // Last: they stop first.
    std::unique_ptr<swarm::Worker> state_worker_;
    std::unique_ptr<swarm::Worker> hash_worker_;

    // swarm.cpp
    [[nodiscard]] Item* find(const Digest& sha256);
    [[nodiscard]] Item* find(const Digest& sha256, std::uint64_t generation);
    [[nodiscard]] std::int64_t tick_wait_ms() const;
    void schedule_tick();
    void tick();
    void tick_second();
    void changed(bool at_once);
    void report_change();
    void save_counters();
    void keep_last_second();
    [[nodiscard]] swarm::CountsByArtifact counts_now() const;
    void post(std::function<void(Impl&)> job);  ///< any thread

    // swarm_items.cpp: a life of an artifact
    Item& make_item(const Manifest& manifest);
    void prepare(Item& item);
    void prepared(Item& item, const std::string& path, std::vector<bool> have);
    void add_torrent(Item& item, const std::string& path);
    void remove_torrent(Item& item);
    void rest(Item& item);
    void offer_complete(Item& item, const std::string& path);
    void got_piece(const Digest& sha256, std::uint32_t piece);
    void got_stats(const Digest& sha256, const swarm::TorrentStats& stats);
    void note_lan_progress(Item& item);
    void got_trouble(const Digest& sha256, const Error& error);
    void mark_pieces(Item& item);
    void hash_prefix(Item& item);
    void finish(Item& item);
    void completed(Item& item, const std::string& path, bool moved);
    void failed(Item& item, const Error& error);
    void notify_complete(const Digest& sha256, const std::string& path);
    void dial(Item& item);
    struct Link {
        const SwarmPeer* peer = nullptr;
        bool ours = false;   ///< to dial, when both ends are there
        bool there = false;  ///< its record names the artifact
    };
    enum class Dial {
        turn,   ///< those that are ours to dial
        first,  ///< everybody, once: of two the one that is there later connects them
        all,    ///< everybody, at every address they may have
    };
    [[nodiscard]] std::vector<Link> links_for(const Item& item) const;
    [[nodiscard]] static std::vector<std::string> endpoints_of(const std::vector<Link>& links,
                                                               Dial whom);

    // swarm_base.cpp: another version first, over the LAN
    [[nodiscard]] bool awaits_base(Item& item);
    void look_for_base(Item& item);
    void base_chosen(const Digest& sha256, const std::optional<swarm::BaseChoice>& choice);
    void borrow(const Digest& sha256, const std::shared_ptr<const Manifest>& base);
    void look_at_base(Item& item);
    void measure_base(Item& item);
    void end_base(Item& item, std::string_view why);
    void return_base(const Digest& sha256);
    [[nodiscard]] bool is_whole_at_peer(const Digest& sha256) const;
    [[nodiscard]] std::uint64_t missing_bytes(const Item& item) const;
    [[nodiscard]] static std::int64_t use_of(const Item& item);  ///< unix s, for the cache
    [[nodiscard]] static bool holds_claim(const Item& item);

    // swarm_offenders.cpp: who sent wrong pieces
    void caught(const Digest& sha256, const std::string& address);
    void let_in();

    // swarm_fetch.cpp: who pulls from the origin
    void elect(Item& item);
    [[nodiscard]] election::View view_of(Item& item);
    [[nodiscard]] std::set<std::string> bases_of(const Item& item,
                                                 const std::vector<std::string>& candidates) const;
    [[nodiscard]] bool needed(Item& item);
    [[nodiscard]] bool site_heard() const;
    [[nodiscard]] std::vector<swarm::FetchSource> sources_of(const Item& item) const;
    [[nodiscard]] std::size_t running_fetches() const;
    void start_fetch(Item& item);
    void stop_fetch(Item& item);
    void fetch_planned(const Digest& sha256, std::uint64_t id, const swarm::FetchPlan& plan);
    void fetch_ended(const Digest& sha256, std::uint64_t id, const Result<void>& result);
    void fetch_warned(const Digest& sha256, std::uint64_t id, const Error& error);
    void measure_rate(Item& item);
    [[nodiscard]] std::int64_t error_backoff_ms(const Item& item, Errc code) const;
    void count_duplicates(Item& item, const election::View& view);

    // swarm_wan.cpp: when anybody may
    void open_ledger();
    void count_wan();
    void look_at_wan();
    void save_wan();

    // swarm_pass.cpp: who leaves it to others
    struct OwnPass {
        election::Pass level = election::Pass::none;
        std::string reason;
        std::int64_t until_unix_ms = 0;  ///< 0 = not known
    };
    [[nodiscard]] OwnPass own_pass(const Item& item, const election::View& view) const;
    [[nodiscard]] bool spares_us(const election::View& view) const;
    void tell_pass(Item& item, const OwnPass& pass);
    void pass_softly(Item& item, std::string reason, std::int64_t for_ms);
    void out_of_reach(const Digest& sha256, std::uint64_t id, const Error& error);
    static void bytes_came(Item& item);
    void pass_if_slow(Item& item);
    [[nodiscard]] static WanParts wan_parts_of(const Item& item);
};

}  // namespace clarity
