#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <sstream>

#include "protocol/yaml/yaml.hpp"

namespace clarity::yaml {
namespace {

struct Refused {
    int line;
    std::string message;
};

/// Builds our tree from the parser's events, so that caps hold while it grows. A map's key is
/// pushed as any value and becomes a key when its value follows.
class Builder : public YAML::EventHandler {
  public:
    Builder(std::string_view file, std::string_view text, Problems& problems, const Limits& limits)
        : file_(file), text_(text), problems_(problems), limits_(limits) {}

    Value root;

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        Value value;
        value.line = line_of(mark);
        put(std::move(value), anchor);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto at = anchors_.find(anchor);
        if (at == anchors_.end()) throw Refused{line_of(mark), "an alias may not hold itself"};
        count(at->second.nodes, line_of(mark));
        if (stack_.size() + at->second.depth > limits_.depth_max) too_deep(line_of(mark));
        Value copy = at->second.value;
        add(std::move(copy));
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& text) override {
        Value value;
        value.line = line_of(mark);
        value.scalar = text;
        value.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
        const auto at = static_cast<std::size_t>(std::max(mark.pos, 0));
        if (value.quoted && !is_closed(at)) {
            throw Refused{value.line, "a quote that opens here is never closed"};
        }
        value.block = value.quoted && at < text_.size() && (text_[at] == '|' || text_[at] == '>');
        const bool null = !value.quoted && (text.empty() || text == "~" || text == "null");
        value.kind = null ? Value::Kind::null : Value::Kind::scalar;
        put(std::move(value), anchor);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(Value::Kind::list, mark, anchor);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(Value::Kind::map, mark, anchor);
    }
    void OnMapEnd() override { close(); }

  private:
    struct Open {
        Value value;
        YAML::anchor_t anchor;
        std::size_t nodes_before;
        std::optional<Entry> key;
        bool skip_value = false;
        std::size_t depth = 1;
    };
    struct Anchored {
        Value value;
        std::size_t nodes;
        std::size_t depth;
    };

    static int line_of(const YAML::Mark& mark) { return mark.line + 1; }
    /// yaml-cpp 0.7 takes the end of a text that ends with a line end as a closing quote.
    [[nodiscard]] bool is_closed(std::size_t at) const {
        if (at >= text_.size() || (text_[at] != '"' && text_[at] != '\'')) return true;
        const char quote = text_[at];
        for (++at; at < text_.size(); ++at) {
            if (quote == '"' && text_[at] == '\\') {
                ++at;
            } else if (text_[at] == quote) {
                if (quote == '"' || at + 1 == text_.size() || text_[at + 1] != quote) return true;
                ++at;
            }
        }
        return false;
    }
    [[noreturn]] void too_deep(int line) const {
        throw Refused{line, fmt::format("is nested more than {} deep", limits_.depth_max)};
    }
    void count(std::size_t more, int line) {
        nodes_ += more;
        if (nodes_ > limits_.nodes_max) {
            throw Refused{line, fmt::format("holds more than {} values once its aliases are "
                                            "unfolded",
                                            limits_.nodes_max)};
        }
    }
    void open(Value::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (stack_.size() >= limits_.depth_max) too_deep(line_of(mark));
        if (!stack_.empty() && stack_.back().value.is_map() && !stack_.back().key) {
            throw Refused{line_of(mark), "a key must be a text, not a list or a map"};
        }
        Open next{.value = {}, .anchor = anchor, .nodes_before = nodes_, .key = {}};
        count(1, line_of(mark));
        next.value.kind = kind;
        next.value.line = line_of(mark);
        stack_.push_back(std::move(next));
    }
    void close() {
        Open done = std::move(stack_.back());
        stack_.pop_back();
        if (done.anchor != 0) {
            anchors_[done.anchor] = {done.value, nodes_ - done.nodes_before, done.depth};
        }
        if (!stack_.empty()) {
            stack_.back().depth = std::max(stack_.back().depth, done.depth + 1);
        }
        add(std::move(done.value));
    }
    void put(Value value, YAML::anchor_t anchor) {
        count(1, value.line);
        if (anchor != 0) anchors_[anchor] = {value, 1, 0};
        add(std::move(value));
    }
    void add(Value value) {
        if (stack_.empty()) {
            root = std::move(value);
            return;
        }
        Open& parent = stack_.back();
        if (parent.value.is_list()) {
            parent.value.items.push_back(std::move(value));
        } else if (!parent.key) {
            if (value.is_list() || value.is_map()) {
                throw Refused{value.line, "a key must be a text, not a list or a map"};
            }
            parent.key = Entry{value.scalar, value.line, {}};
            if (const auto first = keys_of(parent).find(value.scalar);
                first != keys_of(parent).end()) {
                problems_.error(file_, value.line,
                                fmt::format("key \"{}\" is here twice (first in line {}): keep one",
                                            value.scalar, first->second));
                parent.skip_value = true;
            }
        } else {
            if (!parent.skip_value) {
                keys_of(parent).emplace(parent.key->key, parent.key->line);
                parent.key->value = std::move(value);
                parent.value.entries.push_back(*std::move(parent.key));
            }
            parent.skip_value = false;
            parent.key.reset();
        }
    }
    /// Keys seen in an open map, by its depth; emptied when another map opens there.
    std::map<std::string, int>& keys_of(const Open& open) {
        const auto depth = stack_.size();
        if (keys_.size() < depth) keys_.resize(depth);
        if (open.value.entries.empty()) keys_[depth - 1].clear();
        return keys_[depth - 1];
    }

    std::string file_;
    std::string_view text_;
    Problems& problems_;
    Limits limits_;
    std::vector<Open> stack_;
    std::vector<std::map<std::string, int>> keys_;
    std::map<YAML::anchor_t, Anchored> anchors_;
    std::size_t nodes_ = 0;
};

/// Length of the UTF-8 sequence at `at`, 0 where there is none. Overlong forms and surrogates pass:
/// only the length matters here.
std::size_t sequence_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto c = byte(at);
    const std::size_t size = c < 0x80   ? 1
                             : c < 0xc2 ? 0
                             : c < 0xe0 ? 2
                             : c < 0xf0 ? 3
                             : c < 0xf5 ? 4
                                        : 0;
    if (at + size > text.size()) return 0;
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(at + i) & 0xc0U) != 0x80) return 0;
    }
    return size;
}

/// The parser looks ahead through flow collections before it tells of any of them: what nests too
/// deep, or is binary, is refused before it sees it.
std::optional<Refused> refuse_early(std::string_view text, const Limits& limits) {
    int line = 1;
    std::size_t run = 0;
    std::size_t size = 0;
    for (std::size_t at = 0; at < text.size(); at += size) {
        const char c = text[at];
        size = sequence_length(text, at);
        if (size == 0) return Refused{line, "is not UTF-8 text"};
        if (c == '\n') ++line;
        if (c == '\0') return Refused{line, "holds a zero byte: this is no text file"};
        if (c == '[' || c == '{') {
            if (++run > limits.depth_max * 64) {
                return Refused{line, "opens too many brackets that it does not close"};
            }
        } else if ((c == ']' || c == '}') && run > 0) {
            --run;
        }
    }
    return std::nullopt;
}

}  // namespace

const Value* Value::find(std::string_view key) const {
    for (const auto& entry : entries) {
        if (entry.key == key) return &entry.value;
    }
    return nullptr;
}

std::optional<Value> parse(std::string_view file, std::string_view text, Problems& problems,
                           const Limits& limits) {
    if (text.size() > limits.size_max_bytes) {
        problems.error(
            file, 0,
            fmt::format("is {} bytes: at most {} are read", text.size(), limits.size_max_bytes));
        return std::nullopt;
    }
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    if (const auto refused = refuse_early(text, limits)) {
        problems.error(file, refused->line, refused->message);
        return std::nullopt;
    }
    Builder builder(file, text, problems, limits);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        if (!parser.HandleNextDocument(builder)) return Value{};
        Builder second(file, text, problems, limits);
        if (parser.HandleNextDocument(second) && second.root.kind != Value::Kind::null) {
            problems.error(file, second.root.line,
                           "holds a second document: one file, one document");
            return std::nullopt;
        }
        return std::move(builder.root);
    } catch (const Refused& refused) {
        problems.error(file, refused.line, refused.message);
    } catch (const YAML::Exception& broken) {
        problems.error(file, broken.mark.line + 1, fmt::format("broken YAML: {}", broken.msg));
    } catch (const std::exception& broken) {
        problems.error(file, 0, fmt::format("broken YAML: {}", broken.what()));
    }
    return std::nullopt;
}

}  // namespace clarity::yaml
