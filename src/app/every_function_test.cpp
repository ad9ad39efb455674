// What must hold for every function that the program registers: those of other modules than `functions`, whose own are in
// functions/every_function_test.cpp and functions/every_function_output_test.cpp. A function that nobody thought of fails here.
#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX

#include <fstream>
#include <memory>
#include <vector>

#include "app/application.hpp"
#include "app/function_set.hpp"
#include "functions/testing/each_function.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::app {
namespace {

using functions::Flood;
using functions::Loopback;
using functions::Much;
using functions::Reasons;
using functions::Slow;

/// Speaks the Model Context Protocol until it is called: then it says nothing any more (`hang`), or does not stop (`flood`).
constexpr std::string_view kProgram = R"py(
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    if message["method"] == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "t", "version": "1"}}
    elif message["method"] == "tools/list":
        result = {"tools": [{"name": name, "description": "x", "inputSchema": {"type": "object"}} for name in ("hang", "flood")]}
    elif message["params"]["name"] == "flood":
        while True:
            print("y" * 100000, flush=True)
    else:
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
)py";

const Reasons kAtOnce = {
    {"memory-read", "reads one row of the program's own database"},
    {"memory-write", "writes one row of the program's own database"},
    {"apply-remedy", "does what somebody has approved: writes to the program's own database"},
};
const Reasons kSmallOutput = {
    {"memory-read", "a memory has at most 512 KiB"},
    {"memory-write", "answers with a number and a time"},
    {"apply-remedy", "answers with what it has made of a remedy, whose sizes the remedy has limited"},
};
constexpr std::size_t kMost = 256U << 20U;  // answers may have 16 and 32 MiB here, and are read into values

/// The program, as `pawl run` makes it, with a catalogue of MCP servers and two providers of models.
class EachRegistered : public testing::Test {
 protected:
  EachRegistered() {
    std::string pattern = "/tmp/pawl-test-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::ofstream(folder_ + "/mcp-servers.yaml")
        << "servers:\n  program:\n    command: /usr/bin/python3\n    arguments:\n      - -c\n      - |\n"
        << indented(kProgram) << "      - pawl-mcp-test\n";
    auto config = config::load({.flags = {}, .environment = {}, .file_name = {}, .file_text = {}}, config::Purpose::tool);
    EXPECT_TRUE(config.value.has_value());
    config.value->data_dir = folder_;
    config.value->models.openai = {.key = "a-key-for-tests-only", .base_url = "http://127.0.0.1:" + silent_.port(), .model = "m"};
    config.value->models.ollama = {.key = "", .base_url = "http://127.0.0.1:" + flood_.port(), .model = "m"};
    ApplicationOptions options;
    options.allow_private_addresses = true;
    options.durable = false;
    options.schedules = false;
    options.always_migrate = true;
    auto made = Application::create(*config.value, std::move(options));
    if (made.has_error()) throw std::runtime_error(made.error().message);
    app_ = std::move(*made);
    const auto started = app_->start();
    EXPECT_TRUE(started.has_value());
    const auto added = functions::add_builtin_functions(builtin_, {nothing_, pool_, clock_, random_}, {});
    EXPECT_TRUE(added.has_value());
  }
  ~EachRegistered() override {
    app_->stop(Millis(0));
    app_.reset();
    pool_.stop();
    std::filesystem::remove_all(folder_);
  }

  static std::string indented(std::string_view text) {
    std::string result;
    std::string line;
    for (std::istringstream lines{std::string(text)}; std::getline(lines, line);) result += "        " + line + "\n";
    return result;
  }

 public:
  // As `functions::Bench`.
  [[nodiscard]] engine::Invocation invocation(std::string_view arguments) const {
    engine::Invocation call;
    call.organization = app_->organization();
    call.reference = "/do/0/test";
    call.idempotency_key = "key-1";
    call.arguments = json::parse(arguments).value();
    return call;
  }
  std::pair<std::future<engine::Outcome>, engine::Cancel> start(std::string_view function, engine::Invocation call) {
    auto promise = std::make_shared<std::promise<engine::Outcome>>();
    auto future = promise->get_future();
    auto cancel = app_->functions().get(function)->start(std::move(call),
                                                         [promise](engine::Outcome outcome) { promise->set_value(std::move(outcome)); });
    return {std::move(future), std::move(cancel)};
  }

 protected:
  /// All but those that the tables of `functions` hold. (What those do with the help of others has a row here as well.)
  template <class Rows>
  void expect_others_in(const Rows& rows, const Reasons& reasons) {
    std::set<std::string> named;
    for (const auto& row : rows) {
      if (builtin_.get(row.function) == nullptr) named.insert(row.function);
    }
    std::set<std::string> expected;
    for (const auto* function : app_->functions().all()) {
      const auto& name = function->info().name;
      if (builtin_.get(name) == nullptr) expected.insert(name);
    }
    for (const auto& name : expected) {
      EXPECT_NE(named.contains(name), reasons.contains(name)) << name << ": a row for it, or the reason why there is none";
    }
    EXPECT_EQ(named.size() + reasons.size(), expected.size()) << "a row of a function that is not registered";
  }

  static std::vector<Slow> slow_calls() {
    return {
        {"mcp",
         R"({"method": "tools/call", "transport": {"http": {"endpoint": "http://127.0.0.1:PORT/mcp"}}, "tool": "a", "input": {}, "timeout": TIME})"},
        {"mcp", R"({"method": "tools/call", "transport": {"server": "program"}, "tool": "hang", "input": {}, "timeout": TIME})", true,
         "pawl-mcp-test"},
        {"a2a", R"({"method": "message/send", "server": "http://127.0.0.1:PORT/", "parameters": {}})", false},
        {"a2a", R"({"method": "message/stream", "agentCard": {"endpoint": "http://127.0.0.1:PORT/card"}, "parameters": {}})", false},
        {"llm", R"({"model": "openai/m", "prompt": "x", "max_retries": 0, "timeout": TIME})"},
        {"email-summarizer", R"({"email_content": "Subject: x\n\nOne. Two.", "model": "openai/m"})", false},
    };
  }
  std::vector<Much> large_calls() const {
    const auto place = "http://127.0.0.1:" + flood_.port() + "/";
    return {
        {"mcp", R"({"method": "tools/list", "transport": {"http": {"endpoint": ")" + place + R"("}}, "timeout": 20})", "net.too_large"},
        {"mcp", R"({"method": "tools/call", "transport": {"server": "program"}, "tool": "flood", "input": {}, "timeout": 20})",
         "Too much output"},
        {"a2a", R"({"method": "message/send", "server": ")" + place + R"(", "parameters": {}})", "net.too_large"},
        {"a2a", R"({"method": "message/send", "agentCard": {"endpoint": ")" + place + R"("}, "parameters": {}})", "net.too_large"},
        {"llm", R"({"model": "ollama/m", "prompt": "x", "max_retries": 0, "timeout": 20})", "llm."},
        {"email-summarizer", R"({"email_content": "Subject: x\n\nOne. Two.", "model": "ollama/m"})", "llm."},
    };
  }

  Loopback silent_;
  Flood flood_{"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", "x"};
  std::string folder_;
  std::unique_ptr<Application> app_;
  net::ScriptedOutbound nothing_;
  async::BlockingPool pool_{"test", 1, 1};
  SystemClock clock_;
  SystemRandom random_;
  engine::FunctionRegistry builtin_;
};

TEST_F(EachRegistered, IsInTheTablesOrSaysWhyItIsNot) {
  expect_others_in(slow_calls(), kAtOnce);
  expect_others_in(large_calls(), kSmallOutput);
}

// What documents are checked against, where nothing runs, is what runs.
TEST_F(EachRegistered, IsKnownToTheCommandsThatOnlyCheck) {
  const FunctionSet known;
  for (const auto* function : app_->functions().all()) {
    const auto& name = function->info().name;
    if (name == "apply-remedy") continue;  // no workflow of a person calls it
    EXPECT_NE(known.registry().get(name), nullptr) << name;
  }
}

// proves: S4-M2
TEST_F(EachRegistered, S4M2_EndsWithin200MsAfterItsTime) {
  for (const auto& slow : slow_calls()) functions::expect_end_after_its_time(*this, silent_, slow);
}

// proves: S4-M2
TEST_F(EachRegistered, S4M2_EndsWithin200MsWhenItIsCancelledAndLeavesNothing) {
  for (const auto& slow : slow_calls()) functions::expect_end_when_cancelled(*this, silent_, slow);
}

// proves: F3
TEST_F(EachRegistered, F3_IsLimitedAndSoIsTheMemoryForIt) {
  for (const auto& much : large_calls()) functions::expect_bounded_output(*this, much, kMost);
}

}  // namespace
}  // namespace pawl::app
