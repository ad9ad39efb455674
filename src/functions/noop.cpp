// `noop`: returns its arguments. For tests and benchmarks; what it does to the outside is what its task declares.

#include "functions/detail/builtins.hpp"

namespace pawl::functions {
namespace {

class Noop final : public Builtin {
 public:
  Noop()
      : Builtin({.name = "noop",
                 .summary = "Does nothing and returns its arguments",
                 .parameters = literal(R"({})"),
                 .output = literal(R"({"description": "the arguments"})"),
                 .examples = literal(R"([{"greeting": "hello"}, {}])")}) {
    trust_arguments();
  }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::pure; }
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& /*call*/) const override {
    return json::Value::array({json::Value::object({{"action", "nothing"}})});
  }

 private:
  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    done(engine::Outcome::success(std::move(call.arguments)));
    return {};
  }
};

}  // namespace

std::unique_ptr<engine::Function> make_noop(const Parts& /*parts*/) { return std::make_unique<Noop>(); }

}  // namespace pawl::functions
