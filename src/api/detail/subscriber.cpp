#include "api/detail/subscriber.hpp"

namespace pawl::api::detail {

live::Subscriber subscriber_of(const Call& call) {
  const auto& principal = call.principal;
  live::Subscriber who;
  who.organization = call.organization;
  who.user = principal.user;
  who.session = principal.session;
  who.api_key = principal.api_key;
  who.expires_at = principal.expires_at;
  who.manages = principal.permits(Permission::manage, call.organization);
  return who;
}

}  // namespace pawl::api::detail
