#pragma once

#include "protocol/error.hpp"

namespace clarity {

/// A shared library that is opened when it is first needed instead of at every start of the
/// program: some bring dozens of others with them, to most programs for nothing. It stays open.
///
/// For libraries with a C interface, each behind a table of the functions that we use:
/// `CLARITY_CHECK(library.find("curl_easy_init", out.easy_init));`
class SharedLibrary {
  public:
    /// By its soname ("libcurl.so.4"), which is also the version of its interface. Error:
    /// unavailable.
    [[nodiscard]] static Result<SharedLibrary> open(const char* soname);

    template <class Function>
    [[nodiscard]] Result<void> find(const char* symbol, Function*& into) const {
        CLARITY_TRY(void* const at, address(symbol));
        into = reinterpret_cast<Function*>(at);
        return {};
    }

  private:
    SharedLibrary(const char* soname, void* handle) : soname_(soname), handle_(handle) {}
    [[nodiscard]] Result<void*> address(const char* symbol) const;

    const char* soname_;
    void* handle_;
};

}  // namespace clarity
