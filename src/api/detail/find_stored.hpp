// Who owns an object that its store looks up in the database.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "api/detail/context.hpp"

namespace pawl::api::detail {

using Found = std::function<void(Result<OrganizationId>)>;

/// By `owner_of(id)` on the pool.
template <class AnyId, class OwnerOf>
void find_stored(Context& context, const std::optional<AnyId>& id, OwnerOf owner_of, Found done) {
  if (!id) return done(Error(ErrorClass::not_found, "object.not_found", "What is not an id names nothing."));
  const auto shared = std::make_shared<Found>(std::move(done));
  const bool taken = context.d.pool.try_post([id = *id, owner_of = std::move(owner_of), shared] { (*shared)(owner_of(id)); });
  if (!taken) (*shared)(Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again."));
}

}  // namespace pawl::api::detail
