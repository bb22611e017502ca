#include "protocol/library/shared_library.hpp"

#include <dlfcn.h>

namespace clarity {

Result<SharedLibrary> SharedLibrary::open(const char* soname) {
    void* const handle = ::dlopen(soname, RTLD_LAZY | RTLD_LOCAL);
    if (handle != nullptr) return SharedLibrary(soname, handle);
    const char* const why = ::dlerror();
    return fail(Errc::unavailable,
                "{} cannot be used on this host: {}; install its package and "
                "restart",
                soname, why == nullptr ? "unknown reason" : why);
}

Result<void*> SharedLibrary::address(const char* symbol) const {
    if (void* const at = ::dlsym(handle_, symbol)) return at;
    return fail(Errc::unavailable, "{} of this host has no {}: another version is needed", soname_,
                symbol);
}

}  // namespace clarity
