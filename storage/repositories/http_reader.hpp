#pragma once

#include "protocol/http/client.hpp"
#include "storage/repositories/repository.hpp"

namespace clarity::repository_detail {

/// One read of HttpRepository: where it stands, and what each answer means for it.
class HttpReader {
  public:
    HttpReader(HttpRequest base, const ReadRequest& request, const ByteSink& sink);

    /// Runs until all is read, or an error that trying again does not mend.
    [[nodiscard]] Result<ReadOutcome> run();

  private:
    /// What went wrong, and whether another try may mend it.
    struct Failure {
        Error error;
        bool again = false;
        std::uint32_t wait_ms = 0;  ///< what the server asked for (Retry-After)
    };

    [[nodiscard]] std::optional<Failure> attempt();
    [[nodiscard]] HttpRequest next_request() const;
    [[nodiscard]] bool on_bytes(const HttpHead& head, std::string_view bytes);
    [[nodiscard]] std::optional<Failure> judge(const HttpHead& head);
    [[nodiscard]] std::optional<Failure> judge_partial(const HttpHead& head);
    [[nodiscard]] std::optional<Failure> judge_whole(const HttpHead& head);
    [[nodiscard]] std::optional<Failure> judge_version(const HttpHead& head);
    [[nodiscard]] std::optional<Failure> judge_total(std::uint64_t total, const HttpHead& head);
    [[nodiscard]] bool deliver(std::string_view bytes);
    void count_spare(std::uint64_t bytes);
    [[nodiscard]] bool refuse(Failure failure);
    [[nodiscard]] bool done() const { return end_ && position_ >= *end_; }
    [[nodiscard]] bool wait(std::uint32_t tries, std::uint32_t asked_ms) const;

    HttpRequest base_;
    const ReadRequest& request_;
    const ByteSink& sink_;
    ReadOutcome outcome_;
    std::uint64_t position_;            ///< next byte of the file to hand on
    std::optional<std::uint64_t> end_;  ///< behind the last one, once known
    std::string version_;               ///< ETag, or Last-Modified where there is none

    // of the current attempt
    bool judged_ = false;
    std::uint64_t skip_ = 0;  ///< bytes before position_ that a whole answer repeats
    std::optional<Failure> failure_;
};

/// "bytes 10-19/100" → {10, 19, 100}; the total may be unknown ("*").
struct ContentRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::optional<std::uint64_t> total;
};
[[nodiscard]] std::optional<ContentRange> parse_content_range(std::string_view text);

/// The error that a status other than 200 and 206 stands for, and whether to try again.
[[nodiscard]] Error status_error(int status);
[[nodiscard]] bool is_passing(int status);

}  // namespace clarity::repository_detail
