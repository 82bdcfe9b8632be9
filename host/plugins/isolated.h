// SPDX-License-Identifier: Apache-2.0
// Work done in a fork of this process: what ends that one, or never ends, is an answer here.
//
// Threads: of a program that has no others, or locks that they held stay locked in the child.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/result.h"

namespace belfry::plugins {

// What `work` gave. Error: how the child ended instead ("crashed (SIGSEGV)", "ended the process (exit code 3)",
// "was not done after 10000 ms"); Unavailable if there is no child to be had.
Result<std::string> in_child(const std::function<std::string()>& work, std::chrono::milliseconds at_most);

// "crashed (SIGSEGV)" or "ended the process (exit code 3)", of what waitpid said.
std::string end_of(int exit_status);

}  // namespace belfry::plugins
