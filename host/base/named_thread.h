// SPDX-License-Identifier: Apache-2.0
// A thread that `top -H`, gdb and perf show by what it does. Threads: [any].
#pragma once

#include <pthread.h>

#include <thread>
#include <utility>

namespace belfry {

// `name` has at most 15 characters, as the kernel keeps no more; a literal.
template <class Work>
std::thread named_thread(const char* name, Work work) {
    return std::thread([name, work = std::move(work)] {
        ::pthread_setname_np(::pthread_self(), name);
        work();
    });
}

}  // namespace belfry
