// SPDX-License-Identifier: Apache-2.0
// What /proc says about this process, read at each exposition. Linux only, as the host is.
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "base/handles.h"
#include "telemetry/metric_registry.h"

namespace belfry::telemetry {
namespace {

using Directory = std::unique_ptr<DIR, FreeWith<::closedir>>;

double count_entries(const char* path) {
    const Directory directory(::opendir(path));
    if (!directory) return 0;
    double n = 0;
    while (const dirent* entry = ::readdir(directory.get())) {
        if (entry->d_name[0] != '.') ++n;
    }
    return n;
}

double resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    long total = 0, resident = 0;
    statm >> total >> resident;
    return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double open_files_max() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<double>(limit.rlim_cur);
}

}  // namespace

void define_process_metrics(MetricRegistry& registry, std::string_view version) {
    registry.gauge("build_info", "Always 1; the labels say what runs", {{"version", std::string(version)}}).set(1);
    Metric& memory = registry.gauge("process_resident_memory_bytes", "Resident memory of the process");
    Metric& threads = registry.gauge("process_threads", "Threads of the process");
    Metric& files = registry.gauge("process_open_fds", "Open file descriptors");
    Metric& files_max = registry.gauge("process_max_fds", "Limit of open file descriptors");
    Metric& cpu = registry.counter("process_cpu_seconds_total", "CPU time used, user and system");
    registry.before_exposition([&memory, &threads, &files, &files_max, &cpu] {
        memory.set(resident_bytes());
        threads.set(count_entries("/proc/self/task"));
        files.set(count_entries("/proc/self/fd"));
        files_max.set(open_files_max());
        cpu.set(cpu_seconds());
    });
}

}  // namespace belfry::telemetry
