// SPDX-License-Identifier: Apache-2.0
// The folder given by --dir: ours alone while we run, with simulator.json in it only while we listen.
#pragma once

#include <string>

namespace belfry::simulator {

class WorkFolder {
public:
    // Makes the folder when it is missing. Throws std::runtime_error when another simulator uses it.
    explicit WorkFolder(const std::string& folder);
    ~WorkFolder();
    WorkFolder(const WorkFolder&) = delete;
    WorkFolder& operator=(const WorkFolder&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }  // absolute
    [[nodiscard]] std::string description_file() const { return path_ + "/simulator.json"; }

private:
    std::string path_;
    int lock_;
};

}  // namespace belfry::simulator
