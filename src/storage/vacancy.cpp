#include "storage/vacancy.hpp"

#include "storage/detail/postgres_connection.hpp"

namespace pawl::storage {
namespace {

using Steady = std::chrono::steady_clock;

constexpr Millis kPatience{5'000};
/// The committer tries again at least every two seconds.
constexpr Millis kPrecedence{4'000};
/// The committer's lock. This one is given back when the transaction ends.
constexpr std::string_view kAsk = "select pg_try_advisory_xact_lock(hashtext('pawl engine'), hashtext(coalesce(current_schema(), '')))";

}  // namespace

Vacancy::Vacancy(DatabaseOptions options) : options_(std::move(options)) {}

Vacancy::~Vacancy() = default;

Result<bool> Vacancy::look() {
  if (connection_ == nullptr) {
    const detail::PostgresOptions options{.url = options_.url,
                                          .synchronous = true,
                                          .connect_timeout = kPatience,
                                          .statement_timeout = kPatience,
                                          .lock_timeout = kPatience,
                                          .answer_timeout = kPatience + options_.silence,
                                          .silence_ends = {}};
    if (!was_connected_) PAWL_TRY_VOID(detail::PostgresConnection::check_sessions(options));
    PAWL_TRY(opened, detail::PostgresConnection::open(options));
    connection_ = std::move(opened);
    if (was_connected_) not_before_ = Steady::now() + kPrecedence;
    was_connected_ = true;
  }
  auto answer = ask();
  if (answer.has_error() || connection_->is_lost()) connection_.reset();
  if (answer.has_error()) return answer;
  return *answer && Steady::now() >= not_before_;
}

Result<bool> Vacancy::ask() {
  bool free = false;
  const auto take = [](void* result, const Row& row) { *static_cast<bool*>(result) = row.boolean(0); };
  PAWL_TRY_VOID(connection_->begin(detail::Connection::Access::reading));
  PAWL_TRY_VOID(connection_->run(kAsk, {}, &free, take));
  connection_->rollback();
  return free;
}

}  // namespace pawl::storage
