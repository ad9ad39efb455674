/// What stands for the secrets of a dry run. Private to the shard.
#pragma once

#include "json/value.hpp"

namespace pawl::engine {

/// The same names and the same shape, but no secret. Whoever may start a dry run, or have a model draft what is dry-run, may put any
/// expression in its document and read what comes of it; and nothing finds a secret that an expression has turned into something else.
/// What an integration tells of itself that is no secret (`secret_fields` names those) stays, so that plans show the true host.
[[nodiscard]] json::Value placeholders(const json::Value& secrets);

}  // namespace pawl::engine
