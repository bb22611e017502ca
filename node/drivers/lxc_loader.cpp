// The functions of liblxc that this folder calls: see LazyLibrary. A library that is missing shows
// as a container that cannot be made.

#include <lxc/lxccontainer.h>

#include "protocol/http/lazy_library.hpp"

namespace {

clarity::LazyLibrary& library() {
    static clarity::LazyLibrary lxc("liblxc.so.1");
    return lxc;
}

}  // namespace

extern "C" {

lxc_container* lxc_container_new(const char* name, const char* path) {
    CLARITY_LAZY_CALL(library(), lxc_container_new, nullptr, name, path);
}

int lxc_container_put(lxc_container* container) {
    CLARITY_LAZY_CALL(library(), lxc_container_put, -1, container);
}

const char* lxc_get_version() {
    CLARITY_LAZY_CALL(library(), lxc_get_version, "");
}

}  // extern "C"
