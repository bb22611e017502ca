#pragma once

#include <mutex>
#include <vector>

#include "protocol/http/client.hpp"
#include "storage/repositories/repository.hpp"

namespace clarity {

/// Plain HTTP(S) servers: GET with Range, ETag as the mark of one version of a file.
class HttpRepository final : public Repository {
  public:
    [[nodiscard]] static Result<std::unique_ptr<Repository>> make(const RepositoryAccess& access);

    [[nodiscard]] Result<ReadOutcome> read(const ReadRequest& request,
                                           const ByteSink& sink) override;
    [[nodiscard]] Result<std::uint64_t> size(const std::string& path) override;
    [[nodiscard]] const std::string& id() const override { return id_; }

  private:
    explicit HttpRepository(std::string id) : id_(std::move(id)) {}
    [[nodiscard]] Result<std::string> url_of(const std::string& path) const;

    std::string id_;
    std::string base_url_;
    HttpRequest base_;  ///< trust and credentials; copied for each request
    std::mutex mutex_;  ///< guards idle_
    std::vector<std::shared_ptr<HttpConnection>> idle_;  ///< open, of reads that have ended

    [[nodiscard]] std::shared_ptr<HttpConnection> take_connection();
    void give_back(std::shared_ptr<HttpConnection> connection);
};

}  // namespace clarity
