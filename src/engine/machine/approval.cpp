// Asking people: a durable question, decided once, by an event or by its deadline.
//
// A task of any kind asks (`ask`) and is told (`decided_in`). A question ends in one of four ways: approved, rejected, expired at its
// deadline, withdrawn because the task ended without it. Which of a decision and a deadline comes first is settled when the event comes in,
// not when the task gets its turn: what was acknowledged counts, for a suspended run too.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/assert.hpp"
#include "base/time.hpp"
#include "dsl/schema.hpp"
#include "engine/machine/detail/core.hpp"
#include "json/size.hpp"

namespace pawl::engine::detail {
namespace {

constexpr std::size_t kMaxTitle = 500;
constexpr std::size_t kMaxMessage = 20'000;
constexpr std::size_t kMaxNames = 100;

std::string_view name_of(CloseApproval::How how) {
  switch (how) {
    case CloseApproval::How::approved: return "approved";
    case CloseApproval::How::rejected: return "rejected";
    case CloseApproval::How::expired: return "expired";
    case CloseApproval::How::withdrawn: break;
  }
  return "withdrawn";
}

/// What of a question is no question; empty: nothing.
std::string read_text(const json::Value& arguments, std::string_view name, std::size_t most, std::string& text) {
  const auto& given = arguments.get(name);
  if (given.is_null()) return {};
  if (!given.is_string()) return fmt::format("`{}` is not a text", name);
  if (given.as_string().size() > most) return fmt::format("`{}` is longer than {} bytes", name, most);
  text = given.as_string();
  return {};
}

std::string read_names(const json::Value& given, std::string_view what, std::vector<std::string>& names) {
  if (given.is_null()) return {};
  if (!given.is_array() || given.size() > kMaxNames)
    return fmt::format("`approvers.{}` is not a list of at most {} names", what, kMaxNames);
  for (const auto& name : given.items()) {
    if (!name.is_string() || name.as_string().empty()) return fmt::format("`approvers.{}` holds something that is not a name", what);
    names.emplace_back(name.as_string());
  }
  return {};
}

std::string read_deadline(const json::Value& given, TimePoint now, std::optional<TimePoint>& deadline) {
  if (given.is_null()) return {};
  if (given.is_string()) deadline = parse_rfc3339(given.as_string());
  if (deadline) return {};
  const auto duration = dsl::to_duration(given);
  if (duration.has_error()) return "`deadline` is neither a duration nor a time";
  deadline = now + duration.value();
  return {};
}

std::string read(const json::Value& arguments, TimePoint now, ApprovalRequest& request) {
  if (!arguments.is_object()) return "the arguments are not an object";
  if (auto problem = read_text(arguments, "title", kMaxTitle, request.title); !problem.empty()) return problem;
  if (request.title.empty()) return "`title` says nothing";
  if (auto problem = read_text(arguments, "message", kMaxMessage, request.message); !problem.empty()) return problem;
  request.data = arguments.get("data");
  if (json::larger_than(request.data, kMaxApprovalData))
    return fmt::format("`data` is larger than {} KiB as JSON", kMaxApprovalData >> 10U);
  const auto& approvers = arguments.get("approvers");
  if (!approvers.is_null() && !approvers.is_object()) return "`approvers` is not an object";
  if (auto problem = read_names(approvers.get("roles"), "roles", request.roles); !problem.empty()) return problem;
  constexpr std::array<std::string_view, 4> kRoles = {"owner", "admin", "member", "viewer"};
  for (const auto& role : request.roles) {
    if (std::find(kRoles.begin(), kRoles.end(), role) == kRoles.end()) return fmt::format("`{}` is no role", role);
  }
  if (auto problem = read_names(approvers.get("users"), "users", request.users); !problem.empty()) return problem;
  request.exclude_starter = arguments.get("exclude_starter").truthy();
  if (auto problem = read_deadline(arguments.get("deadline"), now, request.deadline); !problem.empty()) return problem;
  if (auto problem = read_text(arguments, "on_deadline", 16, request.on_deadline); !problem.empty()) return problem;
  if (request.on_deadline != "reject" && request.on_deadline != "approve" && request.on_deadline != "fault") {
    return "`on_deadline` is none of reject, approve, fault";
  }
  request.form = arguments.get("form");
  if (request.form.is_null()) return {};
  if (!request.form.is_object() || json::larger_than(request.form, kMaxApprovalData))
    return "`form` is not a JSON Schema of reasonable size";
  if (const auto schema = dsl::Schema::compile(request.form); schema.has_error()) return "`form`: " + schema.error().message;
  return {};
}

}  // namespace

bool Core::read_request(Activation& act, const json::Value& arguments, ApprovalRequest& request) {
  const auto problem = read(arguments, now, request);
  if (problem.empty()) return true;
  fault(act, make_error("validation", 400, "Invalid approval", problem));
  return false;
}

ApprovalId Core::ask(Activation& act, ApprovalRequest request, std::uint32_t number) {
  const auto id = next_approval++;
  PendingApproval pending{act.id, number, 0, now, std::move(request), {}};
  if (const auto deadline = pending.request.deadline) {
    pending.timer = set_timer(act, std::max(Millis(0), *deadline - now), TimerUse::approval, id);
  }
  actions_->push_back(RequestApproval{id, act.task, now, pending.request});
  approvals.emplace(id, std::move(pending));
  set_record_status(act, TaskStatus::waiting);
  return id;
}

void Core::handle(const ApprovalDecided& event) {
  using How = CloseApproval::How;
  close_approval(event.approval,
                 {event.approval, event.approved ? How::approved : How::rejected, now, event.by, event.comment, event.data});
}

void Core::approval_due(ApprovalId approval) {
  const auto found = approvals.find(approval);
  if (found == approvals.end()) return;
  found->second.timer = 0;
  close_approval(approval, {approval, CloseApproval::How::expired, now, {}, {}, {}});
}

/// The first one counts; nobody is told of any other.
void Core::close_approval(ApprovalId approval, CloseApproval closing) {
  const auto found = approvals.find(approval);
  if (found == approvals.end() || !found->second.decision.is_null()) return;
  auto& pending = found->second;
  cancel_timer(pending.timer);
  const bool by_default = closing.how == CloseApproval::How::expired && pending.request.on_deadline == "approve";
  pending.decision = json::Value::object({{"approved", by_default || closing.how == CloseApproval::How::approved},
                                          {"decision", name_of(closing.how)},
                                          {"decided_at", to_rfc3339(now)}});
  if (!closing.by.empty()) pending.decision.set("by", closing.by);
  if (!closing.comment.empty()) pending.decision.set("comment", closing.comment);
  if (!closing.data.is_null()) pending.decision.set("data", closing.data);
  actions_->push_back(std::move(closing));
  push(*activations[pending.activation], WorkItem::Op::decided, TimerUse::approval, approval);
}

void Core::withdraw_approvals(const Activation& act) {
  for (auto next = approvals.begin(); next != approvals.end();) {
    auto& [id, pending] = *next;
    if (pending.activation != act.id) {
      ++next;
      continue;
    }
    cancel_timer(pending.timer);
    if (pending.decision.is_null()) actions_->push_back(CloseApproval{id, CloseApproval::How::withdrawn, now, {}, {}, {}});
    next = approvals.erase(next);
  }
}

void Core::decided(Activation& act, ApprovalId approval) {
  const auto found = approvals.find(approval);
  if (found == approvals.end() || act.step == Step::ended) return;  // the task ended in the same moment
  const auto pending = std::move(found->second);
  approvals.erase(found);
  set_record_status(act, TaskStatus::running);
  if (pending.decision.get("decision") == json::Value("expired") && pending.request.on_deadline == "fault") {
    return fault(
        act, make_error("timeout", 408, "Not decided in time", fmt::format("Nobody decided about `{}` in time.", pending.request.title)));
  }
  std::visit(
      [&](const auto& body) {
        if constexpr (requires { decided_in(act, body, pending.number, pending.decision); }) {
          decided_in(act, body, pending.number, pending.decision);
        } else {
          PAWL_ASSERT(false, "a task of this kind asks nobody");
        }
      },
      task_of(act).body);
}

void Core::decided_in(Activation& act, const dsl::CallTask& body, std::uint32_t /*number*/, const json::Value& decision) {
  if (body.function == kApproval) return complete_body(act, decision);
  told(act, decision);
}

std::vector<RequestApproval> Core::pending_approvals() const {
  std::vector<RequestApproval> pending;
  for (const auto& [id, approval] : approvals) {
    if (approval.decision.is_null()) {
      pending.push_back({id, activations[approval.activation]->task, approval.asked_at, approval.request});
    }
  }
  return pending;
}

}  // namespace pawl::engine::detail
