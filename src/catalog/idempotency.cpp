#include "catalog/idempotency.hpp"

#include <memory>

#include "storage/database.hpp"

namespace pawl::catalog {
namespace {

struct Request {
  OrganizationId organization;
  std::string key;
  std::string digest;
  TimePoint now;
  RunId fresh;
  IdempotencyClaim claim;
};

Result<void> run_claim(storage::Transaction& transaction, Request& request) {
  PAWL_TRY_VOID(transaction.execute("delete from idempotency_keys where created_at < $1", {TimePoint(request.now - kIdempotencyWindow)}));
  request.claim = {request.fresh, true};
  bool same = true;
  bool found = false;
  PAWL_TRY_VOID(transaction.query("select run_id, request_digest from idempotency_keys where organization_id = $1 and key = $2",
                                  {request.organization, request.key}, [&](const storage::Row& row) {
                                    found = true;
                                    request.claim = {row.id<RunId>(0), false};
                                    same = row.blob(1) == request.digest;
                                  }));
  if (!same) {
    return Error(ErrorClass::unprocessable, "request.idempotency_conflict", "This idempotency key was used for another request.");
  }
  if (found) return {};
  PAWL_TRY_VOID(transaction.execute(
      "insert into idempotency_keys (organization_id, key, run_id, created_at, request_digest) values ($1, $2, $3, $4, $5)",
      {request.organization, request.key, request.claim.run, request.now, storage::Parameter::blob(request.digest)}));
  return {};
}

}  // namespace

void claim_idempotency_key(storage::Database& database, const OrganizationId& organization, std::string key, const crypto::Digest& digest,
                           RunId fresh, TimePoint now, std::function<void(Result<IdempotencyClaim>)> done) {
  auto request = std::make_shared<Request>();
  request->organization = organization;
  request->key = std::move(key);
  request->digest.assign(digest.begin(), digest.end());
  request->now = now;
  request->fresh = fresh;
  database.write([request](storage::Transaction& transaction) { return run_claim(transaction, *request); },
                 [request, done = std::move(done)](const Result<void>& result) {
                   if (result.has_error()) {
                     done(result.error());
                   } else {
                     done(request->claim);
                   }
                 });
}

}  // namespace pawl::catalog
