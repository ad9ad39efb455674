#include "engine/approval.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>

#include "base/utf8.hpp"
#include "dsl/schema.hpp"
#include "engine/records.hpp"
#include "json/write.hpp"
#include "notify/notice.hpp"
#include "storage/database.hpp"

namespace pawl::engine {
namespace {

constexpr std::array<std::string_view, 4> kRoles = {"viewer", "member", "admin", "owner"};
constexpr int kMember = 1;
constexpr std::string_view kMayDestroy = "may_destroy";
constexpr std::string_view kUnattended = "unattended";
constexpr std::string_view kRetried = "retried";

json::Value names_of(const std::vector<std::string>& names) {
  auto list = json::Value::array();
  for (const auto& name : names) list.push_back(json::Value(name));
  return list;
}

std::vector<std::string> names_in(const json::Value& list) {
  std::vector<std::string> names;
  if (!list.is_array()) return names;
  for (const auto& name : list.items()) {
    if (name.is_string()) names.emplace_back(name.as_string());
  }
  return names;
}

std::string text_in(const json::Value& object, std::string_view name) {
  const auto& value = object.get(name);
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

std::string storable(std::string_view text) {
  auto out = to_utf8(std::string(text));
  std::replace(out.begin(), out.end(), '\0', ' ');
  return out;
}

/// Ids as they are, addresses in lower case.
std::string name_key(std::string_view name) {
  std::string key(name);
  std::transform(key.begin(), key.end(), key.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return key;
}

std::optional<UserId> user_in(std::string_view who) { return UserId::parse(who); }

constexpr std::string_view kInsert =
    "insert into approvals (id, organization_id, run_id, number, workflow_id, workflow_name, version, task, title, asked, digest, status, "
    "least_role, exclude_starter, starter, starter_key, created_at, deadline) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
    "'open', "
    "$12, $13, $14, $15, $16, $17) on conflict (id) do nothing";
constexpr std::string_view kClose =
    "update approvals set status = $2, decided_at = $3, decided_by = $4, comment = $5, answer = $6 where id = $1 and status = 'open'";

Result<void> ask(storage::Transaction& transaction, const RunIdentity& run, const ApprovalAsked& asked) {
  const auto key = approval_key(run.id, asked.number);
  const auto& request = asked.request;
  PAWL_TRY_VOID(transaction.queue(
      kInsert, {key, run.organization, run.id, asked.number, run.workflow, storable(run.workflow_name), run.version, asked.task,
                storable(request.title), storable(json::to_text(to_json(request))), asked.digest, least_rank(request),
                request.exclude_starter, user_in(asked.starter), asked.starter == kAdministrator, asked.at, request.deadline}));
  for (const auto& user : request.users) {
    PAWL_TRY_VOID(transaction.queue(
        "insert into approval_users (approval_id, name, organization_id) values ($1, $2, $3) on conflict (approval_id, name) do nothing",
        {key, storable(name_key(user)), run.organization}));
  }
  notify::Notice notice;
  notice.organization = run.organization;
  notice.kind = "approval.waiting";
  notice.subject = run.workflow.to_string();
  notice.title = "The workflow " + storable(run.workflow_name) + " waits for a decision: " + storable(request.title);
  notice.data = json::Value::object({{"approval_id", key.to_string()},
                                     {"run_id", run.id.to_string()},
                                     {"workflow_id", run.workflow.to_string()},
                                     {"workflow_name", storable(run.workflow_name)}});
  notice.least_role = std::clamp(least_rank(request), 1, 3);
  if (!request.users.empty()) notice.least_role = 1;
  notice.at = asked.at;
  return notify::store(transaction, notice);
}

Result<void> close(storage::Transaction& transaction, const RunIdentity& run, const CloseApproval& closing) {
  const auto key = approval_key(run.id, closing.approval);
  PAWL_TRY_VOID(transaction.queue(kClose, {key, to_text(closing.how), closing.at, user_in(closing.by), storable(closing.comment),
                                           closing.data.is_null() ? std::string() : storable(json::to_text(closing.data))}));
  return transaction.queue("delete from approval_users where approval_id = $1", {key});
}

}  // namespace

ApprovalKey approval_key(const RunId& run, ApprovalId number) {
  const auto text = run.to_string() + "/approval/" + std::to_string(number);
  std::array<unsigned char, 16> digest{};
  crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr, 0);
  ApprovalKey key{run.uuid};  // keeps the time of the run
  auto& bytes = key.uuid.bytes;
  std::copy(digest.begin() + 6, digest.end(), bytes.begin() + 6);
  bytes[6] = static_cast<std::uint8_t>(0x70U | (bytes[6] & 0x0fU));
  bytes[8] = static_cast<std::uint8_t>(0x80U | (bytes[8] & 0x3fU));
  return key;
}

std::string approval_digest(const RunId& run, std::string_view task, ApprovalId number, const json::Value& request) {
  const auto text = run.to_string() + '\n' + std::string(task) + '\n' + std::to_string(number) + '\n' + json::to_text(request);
  std::array<unsigned char, 32> digest{};
  crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr, 0);
  std::string hex;
  for (const auto byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

json::Value to_json(const ApprovalRequest& request) {
  auto object = json::Value::object({{"title", request.title},
                                     {"message", request.message},
                                     {"data", request.data},
                                     {"roles", names_of(request.roles)},
                                     {"users", names_of(request.users)},
                                     {"exclude_starter", request.exclude_starter},
                                     {"deadline", request.deadline ? json::Value(to_rfc3339(*request.deadline)) : json::Value()},
                                     {"on_deadline", request.on_deadline},
                                     {"form", request.form}});
  return object;
}

ApprovalRequest approval_request(const json::Value& request) {
  ApprovalRequest read;
  read.title = text_in(request, "title");
  read.message = text_in(request, "message");
  read.data = request.get("data");
  read.roles = names_in(request.get("roles"));
  read.users = names_in(request.get("users"));
  read.exclude_starter = request.get("exclude_starter").truthy();
  if (const auto& deadline = request.get("deadline"); deadline.is_string()) read.deadline = parse_rfc3339(deadline.as_string());
  read.on_deadline = text_in(request, "on_deadline");
  read.form = request.get("form");
  return read;
}

std::optional<int> rank_of(std::string_view role) {
  const auto found = std::find(kRoles.begin(), kRoles.end(), role);
  if (found == kRoles.end()) return std::nullopt;
  return static_cast<int>(found - kRoles.begin());
}

int least_rank(const ApprovalRequest& request) {
  if (request.roles.empty()) return request.users.empty() ? kMember : static_cast<int>(kRoles.size());
  int least = static_cast<int>(kRoles.size());
  for (const auto& role : request.roles) least = std::min(least, std::max(kMember, rank_of(role).value_or(least)));
  return least;
}

std::string starter_of(const json::Value& trigger) {
  if (auto user = text_in(trigger, "user"); !user.empty()) return user;
  const auto type = text_in(trigger, "type");
  const bool is_asked_for = type == "manual" || type == "fork" || type == "replay" || type == "remedy" || trigger.get(kRetried).truthy();
  return is_asked_for ? std::string(kAdministrator) : std::string();
}

std::vector<std::string> starters_of(const json::Value& trigger) {
  std::vector<std::string> starters;
  const auto add = [&starters](std::string id) {
    if (!id.empty() && std::find(starters.begin(), starters.end(), id) == starters.end()) starters.push_back(std::move(id));
  };
  add(starter_of(trigger));
  const auto& others = trigger.get("starters");
  if (!others.is_array()) return starters;
  for (const auto& other : others.items()) {
    if (other.is_string()) add(std::string(other.as_string()));
  }
  return starters;
}

void set_starters(json::Value& trigger, const json::Value& requester, const json::Value& origin) {
  for (const auto* const who : {"user", "api_key"}) {
    if (const auto* const found = requester.find(who)) trigger.set(who, *found);
  }
  set_right(trigger, requester);
  auto starters = json::Value::array();
  for (auto& id : starters_of(origin)) starters.push_back(std::move(id));
  if (starters.size() > 0) trigger.set("starters", std::move(starters));
}

void set_retrier(json::Value& trigger, const json::Value& requester) {
  const auto before = trigger;
  for (const auto* const who : {"user", "api_key"}) trigger.erase(who);
  set_starters(trigger, requester, before);
  trigger.set(kRetried, true);
}

bool may_destroy(const json::Value& trigger) { return trigger.get(kMayDestroy) != json::Value(false); }

void set_right(json::Value& trigger, const json::Value& requester) {
  trigger.erase(kMayDestroy);
  trigger.erase(kUnattended);
  if (!may_destroy(requester)) trigger.set(kMayDestroy, false);
  if (is_unattended(requester)) trigger.set(kUnattended, true);
}

void set_right_of_author(json::Value& trigger, bool may) {
  trigger.erase(kMayDestroy);
  if (!may) trigger.set(kMayDestroy, false);
  trigger.set(kUnattended, true);
}

bool is_unattended(const json::Value& trigger) { return trigger.get(kUnattended).truthy(); }

Result<void> check_decider(const ApprovalRequest& request, std::string_view starter, const Decider& decider) {
  const auto refuse = [](std::string why) { return Error(ErrorClass::denied, "approval.forbidden", std::move(why)); };
  if (request.exclude_starter && !starter.empty() && starter == decider.id) {
    return refuse("Who started the run may not decide about it.");
  }
  const auto rank = rank_of(decider.role).value_or(0);
  const bool named = std::any_of(request.users.begin(), request.users.end(), [&](const std::string& name) {
    const auto key = name_key(name);
    return key == decider.id || (!decider.email.empty() && key == decider.email);
  });
  if (rank >= kMember && (named || rank >= least_rank(request))) return {};
  return refuse("This is for others to decide.");
}

Result<void> check_answer(const json::Value& form, const json::Value& data) {
  const auto refuse = [](std::string why, Findings findings) {
    return Error(ErrorClass::unprocessable, "approval.invalid_data", std::move(why), std::move(findings));
  };
  if (form.is_null()) {
    if (data.is_null()) return {};
    return refuse("This approval asks for no data.", {});
  }
  PAWL_TRY(schema, dsl::Schema::compile(form));
  auto findings = schema.validate(data.is_null() ? json::Value::object() : data);
  if (findings.empty()) return {};
  for (auto& finding : findings) finding.pointer.insert(0, "/data");
  return refuse("The data does not fit the form of this approval.", std::move(findings));
}

std::string_view to_text(CloseApproval::How how) {
  switch (how) {
    case CloseApproval::How::approved: return "approved";
    case CloseApproval::How::rejected: return "rejected";
    case CloseApproval::How::expired: return "expired";
    case CloseApproval::How::withdrawn: break;
  }
  return "withdrawn";
}

Result<void> store_approval(storage::Transaction& transaction, const RunIdentity& run, const ApprovalWrite& write) {
  if (const auto* asked = std::get_if<ApprovalAsked>(&write)) return ask(transaction, run, *asked);
  return close(transaction, run, std::get<CloseApproval>(write));
}

Result<void> withdraw_approvals(storage::Transaction& transaction, const RunId& run, TimePoint at) {
  PAWL_TRY_VOID(transaction.queue("delete from approval_users where approval_id in (select id from approvals where run_id = $1)", {run}));
  return transaction.queue("update approvals set status = 'withdrawn', decided_at = $2 where run_id = $1 and status = 'open'", {run, at});
}

}  // namespace pawl::engine
