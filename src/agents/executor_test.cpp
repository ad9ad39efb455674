#include "agents/executor.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "json/write.hpp"

namespace pawl::agents {
namespace {

using testing::UnorderedElementsAre;

class Named final : public engine::Function {
 public:
  explicit Named(std::string name) { info_.name = std::move(name); }
  [[nodiscard]] const engine::Function::Info& info() const override { return info_; }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value&) const override { return engine::EffectClass::pure; }
  [[nodiscard]] Result<json::Value> plan(const engine::Invocation&) const override { return json::Value::array(); }
  [[nodiscard]] engine::Cancel start(engine::Invocation, engine::Done done) override {
    done(engine::Outcome::success({}));
    return {};
  }

 private:
  engine::Function::Info info_;
};

TEST(Executor, OffersNoProgramsNoCodeAndNoAgents) {
  engine::FunctionRegistry functions;
  for (const auto* const name : {"a2a", "apply-remedy", "file-read", "http", "mcp", "run.container", "run.script", "run.shell", "s3.get",
                                 "script", "shell-command"}) {
    functions.add(std::make_unique<Named>(name));
  }
  std::vector<std::string> names;
  for (const auto& choice : function_choices(functions)) names.push_back(choice.name);
  EXPECT_THAT(names, UnorderedElementsAre("file-read", "http", "s3.get"));
}

TEST(Executor, ADocumentAroundAFunctionHasAValidName) {
  const auto name = [](std::string_view function) {
    return std::string(call_document(function, json::Value::object()).get("document").get("name").as_string());
  };
  EXPECT_EQ(name("file-read"), "call-file-read");
  EXPECT_EQ(name("s3.get"), "call-s3-get");
  EXPECT_EQ(name("Odd_name"), "call--dd-name");
}

}  // namespace
}  // namespace pawl::agents
