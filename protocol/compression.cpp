#include "protocol/compression.hpp"

#include <zstd.h>

#include <memory>

namespace clarity::compression {
namespace {

// Made for each call: messages are rare, and a kept one would hold memory in every agent.
struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

Bytes pack(std::string_view plain, std::string_view dictionary, int level) {
    const std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
    Bytes out(ZSTD_compressBound(plain.size()), '\0');
    const auto size =
        ZSTD_compress_usingDict(context.get(), out.data(), out.size(), plain.data(), plain.size(),
                                dictionary.data(), dictionary.size(), level);
    out.resize(ZSTD_isError(size) != 0 ? 0 : size);
    return out;
}

Result<Bytes> unpack(std::string_view packed, std::size_t size_max_bytes,
                     std::string_view dictionary) {
    const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
        return fail(Errc::invalid, "no zstd frame that says its size");
    }
    if (size > size_max_bytes) {
        return fail(Errc::invalid, "{} bytes unpacked are over the limit of {}", size,
                    size_max_bytes);
    }
    if (ZSTD_findFrameCompressedSize(packed.data(), packed.size()) != packed.size()) {
        return fail(Errc::invalid, "zstd frame is cut, or something follows it");
    }
    const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
    Bytes out(static_cast<std::size_t>(size), '\0');
    const auto got = ZSTD_decompress_usingDict(context.get(), out.data(), out.size(), packed.data(),
                                               packed.size(), dictionary.data(), dictionary.size());
    if (ZSTD_isError(got) != 0 || got != out.size()) {
        return fail(Errc::invalid, "zstd frame is damaged");
    }
    return out;
}

}  // namespace clarity::compression
