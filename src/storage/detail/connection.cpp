#include "storage/detail/connection.hpp"

namespace pawl::storage::detail {

Result<void> Connection::queue(std::string_view sql, Parameters parameters) {
  PAWL_TRY_VOID(run(sql, parameters, nullptr, nullptr));
  return {};
}

Result<bool> Connection::try_insert(std::string_view sql, Parameters parameters) {
  PAWL_TRY(inserted, run(sql, parameters, nullptr, nullptr));
  return inserted > 0;
}

bool is_fatal(const Error& error) {
  return error.code == "storage.full" || error.code == "storage.io" || error.code == "storage.corrupt" || error.code == "storage.busy";
}

bool is_passing(const Error& error) {
  return error.code == "storage.connection_lost" || error.code == "storage.unavailable" || error.code == "storage.full" ||
         error.code == "storage.busy" || error.code == "storage.timeout";
}

}  // namespace pawl::storage::detail
