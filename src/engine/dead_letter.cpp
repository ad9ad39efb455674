#include "engine/dead_letter.hpp"

#include <algorithm>
#include <array>

#include "json/write.hpp"
#include "storage/database.hpp"

namespace pawl::engine {

bool leaves_dead_letter(const json::Value& trigger) {
  if (const auto& asked = trigger.get("dead_letter"); asked.is_bool()) return asked.as_bool();
  static constexpr std::array<std::string_view, 4> kUnattended{"schedule", "event", "webhook", "replay"};
  const auto& type = trigger.get("type");
  return type.is_string() && std::find(kUnattended.begin(), kUnattended.end(), type.as_string()) != kUnattended.end();
}

Result<void> store_dead_letter(storage::Transaction& transaction, const DeadLetter& letter) {
  const auto cause = json::to_text(letter.trigger);
  const auto input = json::to_text(letter.input);
  const auto error = json::to_text(letter.error);
  PAWL_TRY(count,
           transaction.execute("insert into dead_letters (id, organization_id, workflow_id, workflow_name, version, kind, cause, input, "
                               "error, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (id) do nothing",
                               {letter.id, letter.organization, letter.workflow, letter.workflow_name, letter.version,
                                letter.kind == DeadLetter::Kind::run ? "run" : "start", cause, input, error, letter.created_at}));
  static_cast<void>(count);
  return {};
}

Result<void> forget_dead_letter(storage::Transaction& transaction, const RunId& run) {
  PAWL_TRY(count, transaction.execute("delete from dead_letters where id = $1", {run}));
  static_cast<void>(count);
  return {};
}

}  // namespace pawl::engine
