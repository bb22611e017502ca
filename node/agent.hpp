#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <memory>

#include "node/config.hpp"
#include "node/enrol.hpp"
#include "node/identity.hpp"
#include "node/trust_store.hpp"

namespace clarity {

/// The running agent of an enrolled server: joins the mesh from the cached roster, goes on with the
/// stored plan, and from then on follows what the documents say. Needs nobody else to start.
/// Everything runs on `loop`.
class Agent {
  public:
    /// `store` and `loop` outlive it. Errors are for people: which address, which setting.
    [[nodiscard]] static Result<std::unique_ptr<Agent>> start(boost::asio::io_context& loop,
                                                              AgentConfig config, Identity identity,
                                                              KeyValueStore& store,
                                                              TrustStore trust);
    ~Agent();

    /// Says good-bye to the mesh; services stay. `done` is called a moment later, when the frames
    /// are out.
    void leave(std::function<void()> done);

  private:
    struct Impl;
    explicit Agent(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace clarity
