// SPDX-License-Identifier: Apache-2.0
// Threads started while a shield exists take no signals: those belong to main, and a closed socket must not kill the
// process.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace belfry::http {

class SignalShield {
public:
    SignalShield() noexcept {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalShield() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalShield(const SignalShield&) = delete;
    SignalShield& operator=(const SignalShield&) = delete;

private:
    sigset_t before_;
};

}  // namespace belfry::http
