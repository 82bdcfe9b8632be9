// SPDX-License-Identifier: Apache-2.0
#include "plugins/library.h"

#include <dlfcn.h>
#include <sys/statvfs.h>

#include "plugins/refusal.h"

namespace belfry::plugins {

Result<Entry> open_library(const std::string& copy, const std::string& file) {
    // Not RTLD_DEEPBIND (breaks malloc replacement), not dlmopen (few namespaces, a second libc).
    void* library = ::dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == nullptr) {
        const char* text = ::dlerror();
        std::string reason = text == nullptr ? "no reason given" : text;
        if (reason.rfind(copy + ": ", 0) == 0) reason.erase(0, copy.size() + 2);
        struct statvfs place {};
        if (::statvfs(copy.c_str(), &place) == 0 && (place.f_flag & ST_NOEXEC) != 0)
            return refusal(file, "cannot be opened: its private copy " + copy + " lies on a file system mounted noexec",
                           "mount that without noexec, or choose another data_dir");
        return refusal(file, "cannot be opened: " + reason, "install what it needs, or rebuild it on this system");
    }
    void* symbol = ::dlsym(library, BELFRY_ENTRY_SYMBOL);
    if (symbol == nullptr) return refusal(file, "does not export " BELFRY_ENTRY_SYMBOL, "define it with BELFRY_EXPORT");
    Dl_info info{};
    if (::dladdr(symbol, &info) == 0 || info.dli_fname == nullptr || copy != info.dli_fname) {
        const std::string owner = info.dli_fname == nullptr ? "another file" : info.dli_fname;
        return refusal(file, BELFRY_ENTRY_SYMBOL " was found in " + owner + ", a library it links",
                       "define it in the plugin itself");
    }
    return Entry{reinterpret_cast<EntryFunction>(symbol)};
}

}  // namespace belfry::plugins
