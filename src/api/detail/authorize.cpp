#include "api/detail/context.hpp"

namespace pawl::api::detail {

Result<Principal> authorize(const Context& context, const http::Request& request, Permission permission) {
  if (permission == Permission::open) return Principal{};  // nobody: such a handler finds its organization elsewhere or needs none
  constexpr std::string_view kScheme = "bearer ";
  const auto header = request.header("Authorization");
  bool accepted = false;
  if (header.size() > kScheme.size() && http::equals_ignoring_case(header.substr(0, kScheme.size()), kScheme)) {
    // Digests have one length and all are compared, so the time says nothing about the keys.
    const auto presented = crypto::hash(header.substr(kScheme.size()));
    for (const auto& digest : context.key_digests) accepted |= crypto::equal(presented, digest);
  }
  if (accepted) return Principal{context.d.organization};  // the one key there is grants everything
  return Error(ErrorClass::unauthenticated, header.empty() ? "auth.missing" : "auth.invalid",
               header.empty() ? "Send the API key as `Authorization: Bearer ...`." : "The API key is not valid.");
}

}  // namespace pawl::api::detail
