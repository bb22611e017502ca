#pragma once

// Private to this folder: names libtorrent's types.
#include <libtorrent/disk_interface.hpp>
#include <libtorrent/io_context.hpp>
#include <libtorrent/settings_pack.hpp>

#include <memory>

namespace clarity::swarm {

/// libtorrent's disk back-end for torrents of one file, as all of ours are: plain pread and pwrite
/// on a descriptor that stays open, each block hashed while it is still in the processor's cache.
///
/// Everything runs on libtorrent's network thread, like its own posix_disk_io, which opens the file
/// for each access and reads a piece back to hash it (docs/adr/0008-gate.md has the figures). An
/// open descriptor also outlives the rename of the finished file into the cache: peers are served
/// through it without a gap. The kernel writes back; whoever completes the file syncs it.
[[nodiscard]] std::unique_ptr<lt::disk_interface> make_disk_io(lt::io_context& context,
                                                               const lt::settings_interface&,
                                                               lt::counters&);

}  // namespace clarity::swarm
