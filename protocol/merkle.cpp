#include "protocol/merkle.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

#include "protocol/sha256.hpp"

namespace clarity {

namespace {

Digest parent_of(const Digest& left, const Digest& right) {
    Bytes both;
    both.reserve(2 * Digest::size_bytes);
    both.append(left.view()).append(right.view());
    return sha256(both);
}

/// Root of a perfect tree over nodes, padded with `pad` to a power of two.
Digest fold(std::vector<Digest> nodes, Digest pad) {
    while (nodes.size() > 1) {
        if (nodes.size() % 2 != 0) nodes.push_back(pad);
        for (std::size_t i = 0; i < nodes.size() / 2; ++i) {
            nodes[i] = parent_of(nodes[2 * i], nodes[2 * i + 1]);
        }
        nodes.resize(nodes.size() / 2);
        pad = parent_of(pad, pad);
    }
    return nodes.front();
}

}  // namespace

Digest merkle_root(std::vector<Digest> leaves, std::size_t leaves_min) {
    if (leaves.empty()) leaves.emplace_back();
    const std::size_t count = std::bit_ceil(std::max(leaves.size(), leaves_min));
    // fold() pads each level as it goes; it only needs to know how many levels there are.
    Digest pad;
    std::size_t width = std::bit_ceil(leaves.size());
    Digest root = fold(std::move(leaves), pad);
    for (std::size_t below = 1; below < width; below *= 2) pad = parent_of(pad, pad);
    for (; width < count; width *= 2) {
        root = parent_of(root, pad);
        pad = parent_of(pad, pad);
    }
    return root;
}

Digest merkle_piece_root(std::string_view piece, std::uint32_t piece_size_bytes, bool only) {
    std::vector<Digest> leaves;
    leaves.reserve(piece.size() / merkle_block_bytes + 1);
    for (std::size_t at = 0; at < piece.size(); at += merkle_block_bytes) {
        leaves.push_back(sha256(piece.substr(at, merkle_block_bytes)));
    }
    return merkle_root(std::move(leaves), only ? 1 : piece_size_bytes / merkle_block_bytes);
}

bool piece_matches(const Manifest& manifest, std::size_t piece, std::string_view bytes) {
    if (piece >= manifest.piece_count() || bytes.size() != manifest.piece_length(piece)) {
        return false;
    }
    const bool only = manifest.piece_count() == 1;
    return merkle_piece_root(bytes, manifest.piece_size_bytes, only) == manifest.piece_hash(piece);
}

Digest merkle_file_root(std::string_view piece_layer, std::uint32_t piece_size_bytes) {
    assert(piece_layer.size() % Digest::size_bytes == 0);
    std::vector<Digest> nodes;
    for (std::size_t at = 0; at < piece_layer.size(); at += Digest::size_bytes) {
        nodes.push_back(*Digest::from(piece_layer.substr(at, Digest::size_bytes)));
    }
    if (nodes.empty()) return {};
    Digest pad;
    for (std::uint32_t below = merkle_block_bytes; below < piece_size_bytes; below *= 2) {
        pad = parent_of(pad, pad);
    }
    return fold(std::move(nodes), pad);
}

std::uint32_t piece_size_for(std::uint64_t size_bytes) {
    constexpr std::uint64_t piece_count_max = 8192;
    std::uint32_t piece = 128U << 10;
    if (size_bytes <= 128ULL << 20) return piece;
    piece = 256U << 10;
    while (piece < 64U << 20 && size_bytes > piece * piece_count_max) piece *= 2;
    return piece;
}

}  // namespace clarity
