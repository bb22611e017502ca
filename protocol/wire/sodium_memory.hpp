#pragma once

namespace clarity::wire {

/// Links sodium_memory.cpp, which keeps libzmq from making a mapping for each frame, into whatever
/// uses sockets. Does nothing by itself.
void use_plain_sodium_memory();

}  // namespace clarity::wire
