/// Idempotency keys of `execute`: the same key within 24 hours names the same run.
#pragma once

#include <functional>
#include <string>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "crypto/crypto.hpp"

namespace pawl::storage {
class Database;
}

namespace pawl::catalog {

inline constexpr std::chrono::hours kIdempotencyWindow{24};

struct IdempotencyClaim {
  RunId run;  ///< the run that the key names
  bool is_new = false;
};

/// Claims `key` for `fresh`, or finds the run that it names already. `digest` is of the whole request: the same key with another request
/// is an error, `request.idempotency_conflict` (422). `done` comes on the writer's thread, when the claim is durable.
void claim_idempotency_key(storage::Database& database, const OrganizationId& organization, std::string key, const crypto::Digest& digest,
                           RunId fresh, TimePoint now, std::function<void(Result<IdempotencyClaim>)> done);

}  // namespace pawl::catalog
