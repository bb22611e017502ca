#pragma once

// Included by .cpp files only (msgpack costs a second). The one place that includes msgpack.
#include <map>
#include <msgpack.hpp>
#include <optional>
#include <string>
#include <vector>

#include "protocol/bytes.hpp"

namespace clarity::codec {

/// A document is a msgpack map with text keys. A struct is listed once, for both directions:
///
///     template <class A> void fields(A& a, Member& m) {
///         a.text("server", m.server_id);
///         a.value("key", m.key);
///     }
///
/// The encoder writes in listed order. The decoder ignores unknown keys, refuses a missing one
/// (unless listed as `optional` or `sparse`), a wrong type, duplicate keys, and anything over the
/// caps.
inline constexpr std::size_t document_max_bytes = 16U << 20;
inline constexpr std::size_t array_max = 1U << 16;
inline constexpr std::size_t map_max = 4096;
inline constexpr std::size_t depth_max = 16;

/// Enumerations travel as text: specialise with
/// `static constexpr std::pair<E, const char*> names[]`.
template <class E>
struct EnumNames;

template <class E>
[[nodiscard]] const char* enum_name(E value) {
    for (const auto& [each, name] : EnumNames<E>::names) {
        if (each == value) return name;
    }
    return "unknown";
}

template <class E>
[[nodiscard]] std::optional<E> enum_from(std::string_view text) {
    for (const auto& [each, name] : EnumNames<E>::names) {
        if (text == name) return each;
    }
    return std::nullopt;
}

/// Appends to a std::string, as msgpack::packer wants it.
struct StringBuffer {
    Bytes& out;
    void write(const char* data, std::size_t size) { out.append(data, size); }
};

class Encoder {
  public:
    void text(const char* key, std::string& v) { open(key), put_text(v); }
    void bin(const char* key, Bytes& v) { open(key), put_bin(v); }
    template <class T>
    void value(const char* key, T& v) {
        open(key), put(v);
    }
    /// Listed as `optional`: written always, may be absent when read.
    template <class T>
    void optional(const char* key, T& v) {
        value(key, v);
    }
    void optional_bin(const char* key, Bytes& v) { bin(key, v); }
    /// Listed as `sparse`: written only where there is something.
    template <class T>
    void sparse(const char* key, std::optional<T>& v) {
        if (v) value(key, *v);
    }
    template <class T>
    void sparse(const char* key, std::vector<T>& v) {
        if (!v.empty()) value(key, v);
    }
    /// A list of byte strings (put(std::vector<std::string>) writes text).
    void bins(const char* key, std::vector<Bytes>& v) {
        open(key);
        packer().pack_array(static_cast<std::uint32_t>(v.size()));
        for (auto& each : v) put_bin(each);
    }

    /// The encoded map.
    [[nodiscard]] Bytes finish() const {
        Bytes out;
        StringBuffer buffer{out};
        msgpack::packer<StringBuffer>(buffer).pack_map(count_);
        return out + body_;
    }

  private:
    Bytes body_;
    StringBuffer buffer_{body_};
    std::uint32_t count_ = 0;

    msgpack::packer<StringBuffer> packer() { return msgpack::packer<StringBuffer>(buffer_); }
    void open(const char* key) { ++count_, put_text(key); }
    void put_text(std::string_view v) {
        packer().pack_str(static_cast<std::uint32_t>(v.size()));
        packer().pack_str_body(v.data(), static_cast<std::uint32_t>(v.size()));
    }
    void put_bin(std::string_view v) {
        packer().pack_bin(static_cast<std::uint32_t>(v.size()));
        packer().pack_bin_body(v.data(), static_cast<std::uint32_t>(v.size()));
    }
    void put(std::string& v) { put_text(v); }
    template <std::size_t N, class Tag>
    void put(FixedBytes<N, Tag>& v) {
        put_bin(v.view());
    }
    template <class T>
    void put(std::optional<T>& v) {
        if (v) put(*v);
        else packer().pack_nil();
    }
    template <class T>
    void put(std::vector<T>& v) {
        packer().pack_array(static_cast<std::uint32_t>(v.size()));
        for (auto& each : v) put(each);
    }
    template <class K, class T>
    void put(std::map<K, T>& v) {
        packer().pack_map(static_cast<std::uint32_t>(v.size()));
        for (auto& [key, each] : v) {
            K copy = key;
            put(copy), put(each);
        }
    }
    template <class T>
    void put(T& v) {
        if constexpr (std::is_enum_v<T>) {
            put_text(enum_name(v));
        } else if constexpr (std::is_arithmetic_v<T>) {
            packer().pack(v);
        } else {
            Encoder inner;
            fields(inner, v);
            body_ += inner.finish();
        }
    }
};

class Decoder {
  public:
    Decoder(const msgpack::object& map, std::string& error) : map_(map), error_(error) {
        if (map_.type != msgpack::type::MAP) fail("is not a map");
        else refuse_duplicates();
    }

    void text(const char* key, std::string& v) { value(key, v); }
    template <class T>
    void value(const char* key, T& v) {
        if (const auto* object = find(key)) read(key, *object, v);
        else fail(fmt::format("has no \"{}\"", key));
    }
    template <class T>
    void optional(const char* key, T& v) {
        if (const auto* object = find(key)) read(key, *object, v);
    }
    void bin(const char* key, Bytes& v) {
        if (const auto* object = find(key)) read_bin(key, *object, v);
        else fail(fmt::format("has no \"{}\"", key));
    }
    void optional_bin(const char* key, Bytes& v) {
        if (const auto* object = find(key)) read_bin(key, *object, v);
    }
    template <class T>
    void sparse(const char* key, T& v) {
        optional(key, v);
    }
    void bins(const char* key, std::vector<Bytes>& v) {
        const auto* object = find(key);
        if (object == nullptr) return fail(fmt::format("has no \"{}\"", key));
        if (object->type != msgpack::type::ARRAY) return wrong(key);
        v.resize(object->via.array.size);
        for (std::size_t i = 0; i < v.size(); ++i) read_bin(key, object->via.array.ptr[i], v[i]);
    }

  private:
    const msgpack::object& map_;
    std::string& error_;

    void fail(std::string what) {
        if (error_.empty()) error_ = std::move(what);
    }
    void wrong(const char* key) { fail(fmt::format("has the wrong type at \"{}\"", key)); }
    void refuse_duplicates();
    [[nodiscard]] const msgpack::object* find(std::string_view key) const {
        if (map_.type != msgpack::type::MAP) return nullptr;
        for (std::uint32_t i = 0; i < map_.via.map.size; ++i) {
            const auto& entry = map_.via.map.ptr[i];
            if (entry.key.type == msgpack::type::STR &&
                std::string_view(entry.key.via.str.ptr, entry.key.via.str.size) == key) {
                return &entry.val;
            }
        }
        return nullptr;
    }

    void read_bin(const char* key, const msgpack::object& o, Bytes& v) {
        if (o.type != msgpack::type::BIN) return wrong(key);
        v.assign(o.via.bin.ptr, o.via.bin.size);
    }
    void read(const char* key, const msgpack::object& o, std::string& v) {
        if (o.type != msgpack::type::STR) return wrong(key);
        v.assign(o.via.str.ptr, o.via.str.size);
    }
    template <std::size_t N, class Tag>
    void read(const char* key, const msgpack::object& o, FixedBytes<N, Tag>& v) {
        if (o.type != msgpack::type::BIN || o.via.bin.size != N) return wrong(key);
        std::memcpy(v.data.data(), o.via.bin.ptr, N);
    }
    template <class T>
    void read(const char* key, const msgpack::object& o, std::optional<T>& v) {
        if (o.type == msgpack::type::NIL) v.reset();
        else read(key, o, v.emplace());
    }
    template <class T>
    void read(const char* key, const msgpack::object& o, std::vector<T>& v) {
        if (o.type != msgpack::type::ARRAY) return wrong(key);
        v.clear();
        for (std::uint32_t i = 0; i < o.via.array.size && error_.empty(); ++i) {
            read(key, o.via.array.ptr[i], v.emplace_back());
        }
    }
    template <class K, class T>
    void read(const char* key, const msgpack::object& o, std::map<K, T>& v) {
        if (o.type != msgpack::type::MAP) return wrong(key);
        v.clear();
        for (std::uint32_t i = 0; i < o.via.map.size && error_.empty(); ++i) {
            K name{};
            read(key, o.via.map.ptr[i].key, name);
            read(key, o.via.map.ptr[i].val, v[name]);
        }
    }
    template <class T>
    void read(const char* key, const msgpack::object& o, T& v) {
        if constexpr (std::is_enum_v<T>) {
            std::string name;
            read(key, o, name);
            if (const auto found = enum_from<T>(name)) v = *found;
            else fail(fmt::format("has an unknown value at \"{}\"", key));
        } else if constexpr (std::is_same_v<T, bool>) {
            if (o.type != msgpack::type::BOOLEAN) return wrong(key);
            v = o.via.boolean;
        } else if constexpr (std::is_floating_point_v<T>) {
            if (o.type == msgpack::type::FLOAT64 || o.type == msgpack::type::FLOAT32) {
                v = static_cast<T>(o.via.f64);
            } else {
                wrong(key);
            }
        } else if constexpr (std::is_integral_v<T>) {
            read_integer(key, o, v);
        } else {
            Decoder inner(o, error_);
            fields(inner, v);
        }
    }
    template <class T>
    void read_integer(const char* key, const msgpack::object& o, T& v) {
        if (o.type == msgpack::type::POSITIVE_INTEGER &&
            o.via.u64 <= static_cast<std::uint64_t>(std::numeric_limits<T>::max())) {
            v = static_cast<T>(o.via.u64);
        } else if (o.type == msgpack::type::NEGATIVE_INTEGER && std::is_signed_v<T> &&
                   o.via.i64 >= static_cast<std::int64_t>(std::numeric_limits<T>::min())) {
            v = static_cast<T>(o.via.i64);
        } else {
            wrong(key);
        }
    }
};

inline void Decoder::refuse_duplicates() {
    for (std::uint32_t i = 1; i < map_.via.map.size && i < 64; ++i) {
        const auto& key = map_.via.map.ptr[i].key;
        if (key.type != msgpack::type::STR) continue;
        const std::string_view name(key.via.str.ptr, key.via.str.size);
        if (find(name) != &map_.via.map.ptr[i].val) fail(fmt::format("has \"{}\" twice", name));
    }
}

/// The struct as bytes.
template <class T>
[[nodiscard]] Bytes encode(const T& value) {
    T copy = value;  // one listing serves both directions, so it takes a mutable reference
    Encoder encoder;
    fields(encoder, copy);
    return encoder.finish();
}

/// Counts values without allocating any, so that a small message cannot unfold into a large one
/// (msgpack takes 24 bytes for each value, however short it was on the wire).
struct ValueCounter : msgpack::null_visitor {
    std::size_t left;
    explicit ValueCounter(std::size_t values_max) : left(values_max) {}

    bool take() { return left != 0 && left-- != 0; }
    bool visit_nil() { return take(); }
    bool visit_boolean(bool) { return take(); }
    bool visit_positive_integer(std::uint64_t) { return take(); }
    bool visit_negative_integer(std::int64_t) { return take(); }
    bool visit_float32(float) { return take(); }
    bool visit_float64(double) { return take(); }
    bool visit_str(const char*, std::uint32_t) { return take(); }
    bool visit_bin(const char*, std::uint32_t) { return take(); }
    bool visit_ext(const char*, std::uint32_t) { return false; }
    bool start_array(std::uint32_t) { return take(); }
    bool start_map(std::uint32_t) { return take(); }
};

inline constexpr std::size_t values_max_default = 2U << 20;

/// The struct from bytes; `what` names the document in errors ("plan has no \"seq\"").
template <class T>
[[nodiscard]] Result<T> decode(std::string_view what, std::string_view bytes,
                               std::size_t size_max_bytes = document_max_bytes,
                               std::size_t values_max = values_max_default) {
    if (bytes.size() > size_max_bytes) {
        return fail(Errc::invalid, "{} of {} bytes is over the limit of {}", what, bytes.size(),
                    size_max_bytes);
    }
    try {
        std::size_t offset = 0;
        ValueCounter counter(values_max);
        if (!msgpack::parse(bytes.data(), bytes.size(), offset, counter)) {
            return fail(Errc::invalid, "{} is not msgpack, or has over {} values", what,
                        values_max);
        }
        offset = 0;
        const auto handle =
            msgpack::unpack(bytes.data(), bytes.size(), offset, nullptr, nullptr,
                            msgpack::unpack_limit(array_max, map_max, size_max_bytes,
                                                  size_max_bytes, 0, depth_max));
        if (offset != bytes.size()) return fail(Errc::invalid, "{} has bytes after its end", what);
        T out{};
        std::string error;
        Decoder decoder(handle.get(), error);
        fields(decoder, out);
        if (!error.empty()) return fail(Errc::invalid, "{} {}", what, error);
        return out;
    } catch (const std::exception& error) {
        return fail(Errc::invalid, "{} is not msgpack within the limits: {}", what, error.what());
    }
}

}  // namespace clarity::codec
