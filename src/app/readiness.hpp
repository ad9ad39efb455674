/// What must work before the server counts as ready.
#pragma once

#include <cstdint>

#include "net/redis.hpp"
#include "observe/health.hpp"
#include "storage/database.hpp"

namespace pawl::app {

/// Adds the checks `database`, `redis`, `database_pool`, `migrations` and `disk`. `redis`: null where none is configured. They outlive
/// `health`.
void add_checks(observe::Health& health, storage::Database& database, const net::RedisClient* redis, std::uint64_t min_free_disk_bytes);

}  // namespace pawl::app
