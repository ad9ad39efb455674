// `log`: writes a line into the step's log. Its output is its input, so it can stand anywhere in a flow of data.

#include <fmt/format.h>

#include "base/utf8.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/encoding.hpp"
#include "json/write.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kMaxLine = 64 * 1024;

class Log final : public Builtin {
 public:
  Log()
      : Builtin({.name = "log",
                 .summary = "Writes a line into the log of the step; the output is the input",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "message": {"description": "text; other values are written as JSON"},
                     "level": {"type": "string", "enum": ["debug", "info", "warning", "error"], "default": "info"},
                     "data": {"description": "written as JSON behind the message"}
                   },
                   "required": ["message"],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({"description": "the task's input"})"),
                 .examples = literal(R"([{"message": "order received", "level": "info", "data": {"id": 17}}])")}) {}
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::pure; }
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    return json::Value::array(
        {json::Value::object({{"action", "log"}, {"level", text_or(call.arguments, "level", "info")}, {"line", line(call)}})});
  }

 private:
  static std::string line(const engine::Invocation& call) {
    std::string text = as_text(call.arguments.get("message"));
    if (const json::Value* data = call.arguments.find("data")) text += " " + json::to_text(*data);
    text = redact(std::move(text), call.secrets);
    if (text.size() > kMaxLine) text = to_utf8(text.substr(0, kMaxLine)) + "...";
    return text;
  }
  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    std::vector<engine::LogLine> lines = {{call.now, text_or(call.arguments, "level", "info"), line(call)}};
    done(engine::Outcome::success(std::move(call.input), std::move(lines)));
    return {};
  }
};

}  // namespace

std::unique_ptr<engine::Function> make_log(const Parts& /*parts*/) { return std::make_unique<Log>(); }

}  // namespace pawl::functions
