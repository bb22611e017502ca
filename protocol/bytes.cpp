#include "protocol/bytes.hpp"

#include <sodium.h>

namespace clarity {
namespace {

std::string encode_base64(std::string_view bytes, int variant) {
    std::string out(sodium_base64_encoded_len(bytes.size(), variant), '\0');
    sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                      bytes.size(), variant);
    out.pop_back();  // the terminating NUL
    return out;
}

Result<Bytes> decode_base64(std::string_view text, int variant, const char* ignore) {
    Bytes out(text.size(), '\0');
    std::size_t length = 0;
    const char* end = nullptr;
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(),
                          text.size(), ignore, &length, &end, variant) != 0 ||
        end != text.data() + text.size()) {
        return fail(Errc::invalid, "not base64");
    }
    out.resize(length);
    return out;
}

}  // namespace

std::string to_hex(std::string_view bytes) {
    std::string out(bytes.size() * 2 + 1, '\0');
    sodium_bin2hex(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                   bytes.size());
    out.pop_back();
    return out;
}

Result<Bytes> from_hex(std::string_view text) {
    Bytes out(text.size() / 2 + 1, '\0');
    std::size_t length = 0;
    const char* end = nullptr;
    if (text.size() % 2 != 0 ||
        sodium_hex2bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(),
                       text.size(), nullptr, &length, &end) != 0 ||
        end != text.data() + text.size()) {
        return fail(Errc::invalid, "not hexadecimal");
    }
    out.resize(length);
    return out;
}

std::string to_base64url(std::string_view bytes) {
    return encode_base64(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}
Result<Bytes> from_base64url(std::string_view text) {
    return decode_base64(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING, nullptr);
}
std::string to_base64(std::string_view bytes) {
    return encode_base64(bytes, sodium_base64_VARIANT_ORIGINAL);
}
Result<Bytes> from_base64(std::string_view text) {
    return decode_base64(text, sodium_base64_VARIANT_ORIGINAL, " \t\r\n");
}

}  // namespace clarity
