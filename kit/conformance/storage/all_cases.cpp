// SPDX-License-Identifier: Apache-2.0
// The executable specification of belfry.storage/1: what every storage plugin must do, whatever it is built on.
#include "conformance/storage/cases.h"

namespace belfry::conformance {

std::vector<Case> all_storage_cases() {
    std::vector<Case> cases;
    for (const auto part :
         {registration_cases(), change_cases(), list_cases(), scan_cases(), model_cases(), durability_cases()}) {
        cases.insert(cases.end(), part.begin(), part.end());
    }
    return cases;
}

}  // namespace belfry::conformance
