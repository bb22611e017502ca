#pragma once

#include <dlfcn.h>

#include <mutex>

namespace clarity {

/// A shared library that is loaded when the first of its functions is called. For libraries that
/// most runs of a program never need, but whose own libraries are many: to load and link curl's
/// twenty costs 3 ms at each start, and memory that no two processes share.
///
/// Whoever uses one defines the functions it needs under their own names, with CLARITY_LAZY_CALL,
/// in one file beside the code that calls them, and does not link the library. Any thread.
class LazyLibrary {
  public:
    /// `file` is the library's soname.
    explicit constexpr LazyLibrary(const char* file) : file_(file) {}

    /// Null when the library or the function is missing.
    template <class Function>
    Function* find(const char* name) {
        // Stays loaded: its threads and exit handlers may outlive any point at which to close it.
        std::call_once(once_, [&] { library_ = dlopen(file_, RTLD_NOW | RTLD_LOCAL); });
        return library_ == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(library_, name));
    }

  private:
    const char* file_;
    std::once_flag once_;
    void* library_ = nullptr;
};

}  // namespace clarity

/// The body of a forwarding function: calls `name` of `library`, or returns `missing`.
#define CLARITY_LAZY_CALL(library, name, missing, ...)                                           \
    static auto* const function = (library).find<std::remove_pointer_t<decltype(&name)>>(#name); \
    if (function == nullptr) return missing;                                                     \
    return function(__VA_ARGS__)
