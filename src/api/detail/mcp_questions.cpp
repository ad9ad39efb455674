#include "api/detail/mcp_questions.hpp"

#include <charconv>

#include "api/detail/deciding.hpp"
#include "api/detail/mcp_parts.hpp"
#include "crypto/encoding.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::string_view kPrefix = "pawl-approval:";
constexpr std::size_t kDigest = 64;  // hexadecimal
constexpr std::size_t kMostData = 8U << 10U;
constexpr std::size_t kMostContent = 64U << 10U;
constexpr Millis kStateTime = std::chrono::hours(24);

/// What a person needs to decide. The data is the run's, and may come from anywhere.
std::string message_of(const catalog::ApprovalView& view) {
  auto text = view.request.title;
  if (!view.request.message.empty()) text += "\n\n" + view.request.message;
  if (!view.request.data.is_null()) {
    auto data = json::to_text(view.request.data, {.indent = 1});
    if (data.size() > kMostData) data = "(too large to be shown here: see the inbox)";
    text += "\n\nData of the run, not checked by anybody:\n" + data;
  }
  return text + "\n\nAsked by the workflow " + view.workflow_name + ", run " + view.run.to_string() + ".";
}

/// Who asked, for what: a state of another caller, tool or arguments does not open.
std::string bound_to(const Call& call, const mcp::CallTool& wish) {
  const auto digest = crypto::hash(json::to_text(wish.arguments));
  const auto& principal = call.principal;
  return "mcp " + call.organization.to_string() + " " + principal.user.to_string() + " " + principal.api_key.to_string() + " " + wish.name +
         " " + std::string(digest.begin(), digest.end());
}

}  // namespace

std::string QuestionKey::to_text() const { return std::string(kPrefix) + approval.to_string() + ":" + digest; }

std::optional<QuestionKey> QuestionKey::parse(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || text.size() - colon - 1 != kDigest) return std::nullopt;
  const auto approval = engine::ApprovalKey::parse(text.substr(0, colon));
  if (!approval) return std::nullopt;
  return QuestionKey{*approval, std::string(text.substr(colon + 1))};
}

Result<std::vector<mcp::Question>> questions_of(Context& context, const Call& call, const RunId& run) {
  std::vector<mcp::Question> questions;
  if (!call.principal.permits(Permission::execute, call.organization)) return questions;
  PAWL_TRY(who, decider_of(context, call));
  PAWL_TRY(page, context.approvals->list(call.organization, {.run = run}, who));
  for (auto& view : page.approvals) {
    PAWL_TRY_VOID(complete(context, call, view));
    if (!view.can_decide || !mcp::is_plain_form(view.request.form)) continue;
    questions.push_back({.key = QuestionKey{view.id, view.digest}.to_text(), .message = message_of(view), .form = view.request.form});
  }
  return questions;
}

void decide_by_client(Context& context, const Call& call, const QuestionKey& key, const json::Value& answer,
                      std::function<void(Result<void>)> done) {
  const auto& action = answer.get("action");
  if (action == json::Value("cancel")) return done({});
  const bool approved = action == json::Value("accept");
  if (!approved && action != json::Value("decline")) {
    return done(Error(ErrorClass::invalid, "mcp.answer", "An answer's `action` is `accept`, `decline` or `cancel`."));
  }
  engine::ApprovalDecision decision;
  decision.approved = approved;
  decision.digest = key.digest;
  if (const auto& content = answer.get("content"); approved && content.is_object() && content.size() > 0) decision.data = content;
  if (json::to_text(decision.data).size() > kMostContent) {
    return done(Error(ErrorClass::too_large, "mcp.answer", "An answer has at most 64 KiB."));
  }
  // The call may be gone when it is done.
  auto caller = std::make_shared<Call>();
  caller->principal = call.principal;
  caller->organization = call.organization;
  caller->request.remote_address = call.request.remote_address;
  caller->request.request_id = call.request.request_id;
  decide_approval(context, *caller, key.approval, std::move(decision),
                  [&context, caller, key, approved, done = std::move(done)](Result<RunId> run) {
                    record(context, *caller, approved ? "approvals.approve" : "approvals.reject", {"approvals", key.approval.to_string()},
                           run.has_error() ? std::nullopt : std::optional(*run), !run.has_error(), json::Value::object({{"via", "mcp"}}));
                    if (run.has_error()) return done(run.error());
                    done({});
                  });
}

std::string seal_state(const Context& context, const Call& call, const mcp::CallTool& wish, const RunId& run) {
  const auto until = (context.d.clock.now() + kStateTime).time_since_epoch();
  return crypto::to_base64url(
      crypto::seal(context.continuation_key, run.to_string() + " " + std::to_string(until.count()), bound_to(call, wish)));
}

std::optional<RunId> open_state(const Context& context, const Call& call, const mcp::CallTool& wish) {
  const auto sealed = crypto::from_base64url(wish.state);
  if (!sealed) return std::nullopt;
  const auto text = crypto::open(context.continuation_key, *sealed, bound_to(call, wish));
  if (!text) return std::nullopt;
  const auto space = text->find(' ');
  std::int64_t until = 0;
  std::from_chars(text->data() + space + 1, text->data() + text->size(), until);
  if (Millis(until) < context.d.clock.now().time_since_epoch()) return std::nullopt;
  return RunId::parse(std::string_view(*text).substr(0, space));
}

}  // namespace pawl::api::detail
