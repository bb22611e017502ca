// libzmq's CURVE puts the plain text of every frame that it sends or receives into memory of
// sodium_allocarray(): a mapping of its own with guard pages, made with five system calls and
// given back with three, with a flush of the address space on every processor. That was a tenth of
// an agent's work at its start.
//
// These definitions go before libsodium's in the whole program. What matters of it remains: memory
// is wiped before it is given back. What goes are guard pages and locking, which no other copy of
// the same frame has either (ours, the socket's queue); our keys do not live in such memory.

#include "protocol/wire/sodium_memory.hpp"

#include <malloc.h>
#include <sodium.h>

#include <cstdlib>

extern "C" {

void* sodium_malloc(const std::size_t bytes) {
    return std::malloc(bytes == 0 ? 1 : bytes);
}

void* sodium_allocarray(std::size_t count, std::size_t bytes) {
    std::size_t all = 0;
    if (__builtin_mul_overflow(count, bytes, &all)) return nullptr;
    return sodium_malloc(all);
}

void sodium_free(void* memory) {
    if (memory == nullptr) return;
    sodium_memzero(memory, malloc_usable_size(memory));
    std::free(memory);
}

}  // extern "C"

namespace clarity::wire {

void use_plain_sodium_memory() {}

}  // namespace clarity::wire
