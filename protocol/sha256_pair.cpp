#include "protocol/sha256_pair.hpp"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#define CLARITY_SHA_TARGET __attribute__((target("sha,sse4.1,ssse3")))
#endif

namespace clarity {

namespace {

using State = std::array<std::uint32_t, 8>;

// FIPS 180-4, 5.3.3 and 4.2.2.
constexpr State initial = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                           0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

#if defined(__x86_64__)

alignas(16) constexpr std::uint32_t round_keys[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

bool has_sha_instructions() {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_SSE4_1) == 0 || (c & bit_SSSE3) == 0) {
        return false;
    }
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}

/// Takes `blocks` whole blocks into each of N states. The instructions keep a state as (ABEF,
/// CDGH). Source: Intel, "Intel SHA Extensions", 2013: four rounds a step, the message schedule
/// four words at a time.
template <std::size_t N>
CLARITY_SHA_TARGET void compress(const std::array<State*, N>& states,
                                 std::array<const std::uint8_t*, N> data, std::size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i abef[N];
    __m128i cdgh[N];
#pragma GCC unroll 2
    for (std::size_t i = 0; i < N; ++i) {
        const auto* words = reinterpret_cast<const __m128i*>(states[i]->data());
        const __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(words), 0xb1);
        const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(words + 1), 0x1b);
        abef[i] = _mm_alignr_epi8(cdab, efgh, 8);
        cdgh[i] = _mm_blend_epi16(efgh, cdab, 0xf0);
    }
    for (; blocks != 0; --blocks) {
        __m128i message[N][4];
        __m128i abef_before[N];
        __m128i cdgh_before[N];
#pragma GCC unroll 2
        for (std::size_t i = 0; i < N; ++i) {
            const auto* words = reinterpret_cast<const __m128i*>(data[i]);
#pragma GCC unroll 4
            for (int w = 0; w < 4; ++w) {
                message[i][w] = _mm_shuffle_epi8(_mm_loadu_si128(words + w), swap);
            }
            data[i] += 64;
            abef_before[i] = abef[i];
            cdgh_before[i] = cdgh[i];
        }
#pragma GCC unroll 16
        for (int step = 0; step < 16; ++step) {
            const __m128i keys =
                _mm_load_si128(reinterpret_cast<const __m128i*>(round_keys) + step);
#pragma GCC unroll 2
            for (std::size_t i = 0; i < N; ++i) {
                __m128i* m = message[i];
                const __m128i words = _mm_add_epi32(m[step % 4], keys);
                cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], words);
                abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], _mm_shuffle_epi32(words, 0x0e));
                if (step >= 12) continue;
                const __m128i between = _mm_alignr_epi8(m[(step + 3) % 4], m[(step + 2) % 4], 4);
                m[step % 4] = _mm_sha256msg2_epu32(
                    _mm_add_epi32(_mm_sha256msg1_epu32(m[step % 4], m[(step + 1) % 4]), between),
                    m[(step + 3) % 4]);
            }
        }
#pragma GCC unroll 2
        for (std::size_t i = 0; i < N; ++i) {
            abef[i] = _mm_add_epi32(abef[i], abef_before[i]);
            cdgh[i] = _mm_add_epi32(cdgh[i], cdgh_before[i]);
        }
    }
    for (std::size_t i = 0; i < N; ++i) {
        auto* words = reinterpret_cast<__m128i*>(states[i]->data());
        const __m128i feba = _mm_shuffle_epi32(abef[i], 0x1b);
        const __m128i dchg = _mm_shuffle_epi32(cdgh[i], 0xb1);
        _mm_storeu_si128(words, _mm_blend_epi16(feba, dchg, 0xf0));
        _mm_storeu_si128(words + 1, _mm_alignr_epi8(dchg, feba, 8));
    }
}

#else

bool has_sha_instructions() {
    return false;
}

template <std::size_t N>
void compress(const std::array<State*, N>&, std::array<const std::uint8_t*, N>, std::size_t) {}

#endif

const std::uint8_t* octets(std::string_view bytes) {
    return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

}  // namespace

bool Sha256Lane::is_fast() {
    static const bool fast = has_sha_instructions();
    return fast;
}

Sha256Lane::Sha256Lane() {
    if (!is_fast()) plain_.emplace();
    restart();
}

void Sha256Lane::restart() {
    state_ = initial;
    size_bytes_ = 0;
}

/// Fills the begun block; returns what is left, which begins on a block unless it is empty.
std::string_view Sha256Lane::top_up(std::string_view bytes) {
    const std::size_t begun = size_bytes_ % block_bytes;
    size_bytes_ += bytes.size();
    if (begun == 0 || bytes.empty()) return bytes;
    const std::size_t part = std::min(block_bytes - begun, bytes.size());
    std::memcpy(rest_.data() + begun, bytes.data(), part);
    if (begun + part == block_bytes) compress<1>({&state_}, {rest_.data()}, 1);
    return bytes.substr(part);
}

void Sha256Lane::update(std::string_view bytes) {
    if (plain_) return plain_->update(bytes);
    bytes = top_up(bytes);
    const std::size_t blocks = bytes.size() / block_bytes;
    if (blocks != 0) compress<1>({&state_}, {octets(bytes)}, blocks);
    bytes.remove_prefix(blocks * block_bytes);
    if (!bytes.empty()) std::memcpy(rest_.data(), bytes.data(), bytes.size());
}

void Sha256Lane::update_both(Sha256Lane& a, std::string_view bytes_a, Sha256Lane& b,
                             std::string_view bytes_b) {
    if (a.plain_) {
        a.plain_->update(bytes_a);
        return b.plain_->update(bytes_b);
    }
    bytes_a = a.top_up(bytes_a);
    bytes_b = b.top_up(bytes_b);
    const std::size_t blocks = std::min(bytes_a.size(), bytes_b.size()) / block_bytes;
    if (blocks != 0) {
        compress<2>({&a.state_, &b.state_}, {octets(bytes_a), octets(bytes_b)}, blocks);
    }
    // What is left goes in alone; its length was counted by top_up() already.
    for (auto [lane, bytes] : {std::pair{&a, bytes_a}, std::pair{&b, bytes_b}}) {
        bytes.remove_prefix(blocks * block_bytes);
        lane->size_bytes_ -= bytes.size();
        lane->update(bytes);
    }
}

Digest Sha256Lane::finish() {
    if (plain_) return plain_->finish();
    // One bit, zeros, and the length in bits as 64 bits: FIPS 180-4, 5.1.1.
    std::array<std::uint8_t, 2 * block_bytes> tail{};
    const std::size_t begun = size_bytes_ % block_bytes;
    std::memcpy(tail.data(), rest_.data(), begun);
    tail[begun] = 0x80;
    const std::size_t length = begun + 9 <= block_bytes ? block_bytes : 2 * block_bytes;
    std::uint64_t bits = size_bytes_ * 8;
    for (std::size_t i = 1; i <= 8; ++i, bits >>= 8U) {
        tail[length - i] = static_cast<std::uint8_t>(bits & 0xffU);
    }
    compress<1>({&state_}, {tail.data()}, length / block_bytes);
    Digest out;
    for (std::size_t i = 0; i < out.data.size(); ++i) {
        out.data[i] = static_cast<std::uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)) & 0xffU);
    }
    restart();
    return out;
}

}  // namespace clarity
