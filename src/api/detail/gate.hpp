// The way into every handler: nothing reaches one but through the gate.
//
// In this order: who asks (401), how often (429), the body as JSON (415, 400), in which organization (404), permitted there (403), the
// body's shape (422 with every finding). Routes that test a credential are counted again after all of these, when the account is known.
// What concerns an organization that the caller does not belong to looks as if it did not exist.
#pragma once

#include "api/detail/context.hpp"
#include "http/router.hpp"

namespace pawl::api::detail {

/// `context` and `route` must outlive the handler.
[[nodiscard]] http::Handler gate(Context& context, const Route& route);

/// Answers who does not have `permission` in the organization.
[[nodiscard]] Error forbidden(Permission permission);
/// May the caller still do in the call's organization what asks for `permission`? For what is done long after the gate: a role may have
/// been taken away meanwhile, a key revoked, a session ended. An access token that has run out meanwhile counts as what it is. Blocks: on
/// the pool.
[[nodiscard]] Result<void> still_permitted(const Context& context, const Call& call, Permission permission);
/// Answers what is not of the caller's organizations: the same words as for what does not exist.
[[nodiscard]] Error not_found(const Owner& owner);

}  // namespace pawl::api::detail
