#include "identity/session_authenticator.hpp"

#include <algorithm>
#include <mutex>

#include "identity/access_token.hpp"
#include "identity/api_keys.hpp"
#include "identity/detail/session_rows.hpp"
#include "identity/detail/user_rows.hpp"
#include "identity/organizations.hpp"
#include "storage/database.hpp"

namespace pawl::identity {
namespace {

/// How far the "last used" of sessions and keys may lag behind.
constexpr std::chrono::minutes kTouchEvery{1};

Error invalid() {
  return {ErrorClass::unauthenticated, "auth.invalid_token", "The token or key is not valid, or not any more; sign in again."};
}

std::string text_of(const crypto::Digest& digest) { return {digest.begin(), digest.end()}; }

std::string session_cache_key(const SessionId& session) {
  return {reinterpret_cast<const char*>(session.uuid.bytes.data()), session.uuid.bytes.size()};
}

}  // namespace

SessionAuthenticator::SessionAuthenticator(storage::Database& database, const Clock& clock, const TokenKeys& keys,
                                           const SessionAuthenticatorOptions& options)
    : database_(database), clock_(clock), keys_(keys), options_(options) {
  for (const auto& key : options_.installation_keys) installation_digests_.push_back(crypto::hash(key));
  options_.installation_keys.clear();
}

SessionAuthenticator::Claim SessionAuthenticator::examine(const Credentials& credentials) const {
  Claim claim;
  if (credentials.bearer.empty() && credentials.cookie_session.empty()) return claim;
  claim.by_cookie = credentials.bearer.empty();
  if (!claim.by_cookie) {
    // Digests have one length and all are compared, so the time says nothing about the keys.
    const auto presented = crypto::hash(credentials.bearer);
    bool accepted = false;
    for (const auto& digest : installation_digests_) accepted |= crypto::equal(presented, digest);
    if (accepted) {
      Principal principal;
      principal.kind = Principal::Kind::administrator;
      principal.superuser = true;
      principal.memberships.push_back({options_.installation, Role::owner});
      principal.home = options_.installation;
      claim.answer = std::move(principal);
      return claim;
    }
    if (is_api_key(credentials.bearer)) {
      claim.kind = Claim::Kind::api_key;
      claim.cache_key = text_of(presented);
      return claim;
    }
  }
  const auto token = claim.by_cookie ? credentials.cookie_session : credentials.bearer;
  const auto claims = read_access_token(keys_, token, clock_.now());
  if (!claims) {
    claim.answer = invalid();
    return claim;
  }
  claim.kind = Claim::Kind::session;
  claim.user = claims->user;
  claim.session = claims->session;
  claim.expires_at = claims->expires_at;
  claim.cache_key = session_cache_key(claims->session);
  return claim;
}

std::optional<Principal> SessionAuthenticator::cached(const Claim& claim) const {
  const auto now = clock_.now();
  const std::shared_lock lock(mutex_);
  const auto found = entries_.find(claim.cache_key);
  if (found == entries_.end() || now >= found->second.cached_until) return std::nullopt;
  const auto& principal = found->second.principal;
  if (principal.expires_at && now >= *principal.expires_at) return std::nullopt;
  if (claim.kind == Claim::Kind::session && principal.user != claim.user) return std::nullopt;
  auto copy = principal;
  complete(copy, claim);
  return copy;
}

std::optional<Result<Principal>> SessionAuthenticator::try_authenticate(const Credentials& credentials) {
  auto claim = examine(credentials);
  if (claim.kind == Claim::Kind::settled) return std::move(claim.answer);
  if (auto principal = cached(claim)) return Result<Principal>(std::move(*principal));
  return std::nullopt;
}

Result<Principal> SessionAuthenticator::authenticate(const Credentials& credentials) {
  auto claim = examine(credentials);
  if (claim.kind == Claim::Kind::settled) return std::move(claim.answer);
  if (auto principal = cached(claim)) return std::move(*principal);
  std::uint64_t generation = 0;
  {
    const std::shared_lock lock(mutex_);
    generation = generation_;
  }
  const auto now = clock_.now();
  auto loaded = claim.kind == Claim::Kind::session ? load_session(claim, now) : load_api_key(claim, now);
  if (loaded.has_error()) return loaded.error();
  remember(claim, *loaded, now, generation);
  complete(*loaded, claim);
  return loaded;
}

void SessionAuthenticator::complete(Principal& principal, const Claim& claim) {
  principal.by_cookie = claim.by_cookie;
  if (claim.kind == Claim::Kind::session) principal.expires_at = claim.expires_at;
}

Result<Principal> SessionAuthenticator::load_session(const Claim& claim, TimePoint now) const {
  Principal principal;
  bool touch = false;
  const auto work = [&](storage::Session& session) -> Result<void> {
    PAWL_TRY(row, detail::load_session(session, claim.session));
    if (!row || row->user != claim.user || row->revoked_at || row->info.expires_at <= now) return invalid();
    PAWL_TRY(user, detail::load_user(session, claim.user));
    if (!user || !user->user.active) return invalid();
    PAWL_TRY(memberships, load_memberships(session, claim.user));
    PAWL_TRY(home, personal_organization(session, claim.user));
    principal.kind = Principal::Kind::user;
    principal.user = claim.user;
    principal.session = claim.session;
    principal.superuser = user->user.superuser;
    principal.memberships = std::move(memberships);
    if (home) {
      principal.home = *home;
    } else if (!principal.memberships.empty()) {
      principal.home = principal.memberships.front().organization;
    }
    touch = now - row->info.last_used_at >= kTouchEvery;
    return {};
  };
  PAWL_TRY_VOID(database_.read(work));
  if (touch) {
    // Only a display: nobody waits for it, and nothing is lost where it fails.
    database_.write([id = claim.session, now](storage::Transaction& transaction) { return detail::touch_session(transaction, id, now); },
                    {});
  }
  return principal;
}

Result<Principal> SessionAuthenticator::load_api_key(const Claim& claim, TimePoint now) const {
  Principal principal;
  bool touch = false;
  const auto work = [&](storage::Session& session) -> Result<void> {
    PAWL_TRY(key, detail::load_api_key_by_hash(session, claim.cache_key, now));
    if (!key) return invalid();
    PAWL_TRY(user, detail::load_user(session, key->user));
    if (!user || !user->user.active) return invalid();
    PAWL_TRY(memberships, load_memberships(session, key->user));
    std::erase_if(memberships, [&](const Membership& each) { return each.organization != key->organization; });
    if (memberships.empty()) return invalid();  // the user has left: the key goes with him
    principal.kind = Principal::Kind::api_key;
    principal.user = key->user;
    principal.api_key = key->id;
    principal.expires_at = key->expires_at;
    principal.superuser = user->user.superuser;
    principal.scopes = key->scopes;
    principal.memberships = std::move(memberships);
    principal.home = key->organization;
    touch = !key->last_used_at || now - *key->last_used_at >= kTouchEvery;
    return {};
  };
  PAWL_TRY_VOID(database_.read(work));
  if (touch) {
    database_.write(
        [id = principal.api_key, now](storage::Transaction& transaction) { return detail::touch_api_key(transaction, id, now); }, {});
  }
  return principal;
}

void SessionAuthenticator::remember(const Claim& claim, const Principal& principal, TimePoint now, std::uint64_t generation) {
  const std::unique_lock lock(mutex_);
  if (generation != generation_) return;
  if (entries_.size() >= options_.cache_entries) {
    std::erase_if(entries_, [&](const auto& each) { return each.second.cached_until <= now; });
    if (entries_.size() >= options_.cache_entries) entries_.clear();
  }
  entries_.insert_or_assign(claim.cache_key, Entry{principal, now + options_.cache_lifetime});
}

template <class Matches>
void SessionAuthenticator::forget_where(const Forgotten& whose, Matches&& matches) {
  {
    const std::unique_lock lock(mutex_);
    ++generation_;
    std::erase_if(entries_, [&](const auto& each) { return matches(each.second.principal); });
  }
  if (options_.on_forget) options_.on_forget(whose);
}

void SessionAuthenticator::forget(const UserId& user) {
  forget_where({.user = user}, [&](const Principal& each) { return each.user == user; });
}
void SessionAuthenticator::forget(const SessionId& session) {
  forget_where({.session = session}, [&](const Principal& each) { return each.kind == Principal::Kind::user && each.session == session; });
}
void SessionAuthenticator::forget(const ApiKeyId& key) {
  forget_where({.api_key = key}, [&](const Principal& each) { return each.kind == Principal::Kind::api_key && each.api_key == key; });
}
void SessionAuthenticator::forget_all() {
  forget_where({}, [](const Principal&) { return true; });
}

}  // namespace pawl::identity
