/// What must work before the server counts as ready.
#pragma once

#include <cstdint>

#include "base/time.hpp"
#include "mail/transport.hpp"
#include "net/redis.hpp"
#include "observe/health.hpp"
#include "storage/database.hpp"

namespace pawl::app {

/// Adds the checks `database`, `redis`, `mail`, `database_pool`, `migrations` and `disk`. `redis`, `transport`: null where none is
/// configured. They outlive `health`.
void add_checks(observe::Health& health, storage::Database& database, const net::RedisClient* redis, mail::Transport* transport,
                const Clock& clock, std::uint64_t min_free_disk_bytes);

}  // namespace pawl::app
