// `approval`: asks people. The machine itself asks and waits (engine/machine/approval.cpp); what is here is the declaration, and the plan
// of a dry run, which asks nobody.

#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"

namespace pawl::functions {
namespace {

class Approval final : public Builtin {
 public:
  Approval()
      : Builtin({.name = std::string(engine::kApproval),
                 .summary = "Waits until somebody approves or rejects, for days if need be; nothing is held in memory meanwhile",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "title": {"type": "string", "description": "what is asked, in a line"},
                     "message": {"type": "string", "description": "more about it"},
                     "data": {"description": "what is to be decided about, shown as it is"},
                     "approvers": {
                       "description": "who may decide; left out: members and above",
                       "type": "object",
                       "properties": {
                         "roles": {"type": "array", "items": {"type": "string", "enum": ["owner", "admin", "member", "viewer"]},
                                   "description": "these roles and those above them"},
                         "users": {"type": "array", "items": {"type": "string"}, "description": "ids or mail addresses of members"}
                       },
                       "additionalProperties": false
                     },
                     "exclude_starter": {"type": "boolean", "default": false, "description": "who started the run may not decide"},
                     "deadline": {"description": "a duration, or a time (RFC 3339); left out: it waits for ever"},
                     "on_deadline": {"type": "string", "enum": ["reject", "approve", "fault"], "default": "reject"},
                     "form": {"description": "JSON Schema of data that comes with an approval"}
                   },
                   "required": ["title"],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "approved": {"type": "boolean"},
                     "decision": {"type": "string", "enum": ["approved", "rejected", "expired"]},
                     "by": {"type": "string", "description": "id of who decided"},
                     "comment": {"type": "string"},
                     "data": {"description": "what was filled in"},
                     "decided_at": {"type": "string", "format": "date-time"}
                   }
                 })"),
                 .examples = literal(R"([
                   {"title": "Deploy 2.1 to production?"},
                   {"title": "Pay 900 EUR to ACME?", "data": {"invoice": "R-17", "amount": 900}, "approvers": {"roles": ["admin"]},
                    "exclude_starter": true, "deadline": "3d", "on_deadline": "reject",
                    "form": {"type": "object", "properties": {"account": {"type": "string"}}, "required": ["account"]}}
                 ])"),
                 .needs = {engine::Need::people}}) {}
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::pure; }
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    return json::Value::array({json::Value::object({{"action", "ask"},
                                                    {"title", call.arguments.get("title")},
                                                    {"approvers", call.arguments.get("approvers")},
                                                    {"deadline", call.arguments.get("deadline")}})});
  }

 private:
  engine::Cancel run(engine::Invocation /*call*/, engine::Done done) override {
    done(failed(Error(ErrorClass::invalid, "approval.outside", "People are asked by a task of a run, not by a call on its own.")));
    return {};
  }
};

}  // namespace

std::unique_ptr<engine::Function> make_approval(const Parts& /*parts*/) { return std::make_unique<Approval>(); }

}  // namespace pawl::functions
