/// For tests, of this module and of others: a registry with everything on it, and calls that wait for their outcome. Each is held to what
/// the function says that it gives: other programs are told so (`outputSchema` of its tool).
#pragma once

#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "async/blocking_pool.hpp"
#include "dsl/schema.hpp"
#include "engine/function.hpp"
#include "functions/functions.hpp"
#include "json/parse.hpp"
#include "net/outbound.hpp"

namespace pawl::functions {

/// A temporary folder with `root/` in it, and all functions over it.
class Bench {
 public:
  explicit Bench(net::Outbound& outbound, FunctionsOptions options = {}, const net::AddressPolicy* policy = nullptr) {
    std::string pattern = "/tmp/pawl-test-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::filesystem::create_directory(root());
    options.roots = {root()};
    const auto added = add_builtin_functions(registry, {outbound, pool_, clock_, random_, policy}, options);
    if (added.has_error()) throw std::runtime_error(added.error().message);
  }
  ~Bench() {
    pool_.stop();
    std::filesystem::remove_all(folder_);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  [[nodiscard]] std::string root() const { return folder_ + "/root"; }
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root() + "/" + path).parent_path());
    std::ofstream(root() + "/" + path) << text;
  }
  [[nodiscard]] std::string read(const std::string& path) const {
    std::ifstream file(root() + "/" + path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  [[nodiscard]] engine::Invocation invocation(std::string_view arguments, std::string_view input = "{}",
                                              std::string_view secrets = "{}") const {
    engine::Invocation call;
    call.reference = "/do/0/test";
    call.idempotency_key = "key-1";
    call.arguments = json::parse(arguments).value();
    call.input = json::parse(input).value();
    call.secrets = json::parse(secrets).value();
    return call;
  }
  /// Starts and waits.
  engine::Outcome call(std::string_view function, std::string_view arguments, std::string_view input = "{}",
                       std::string_view secrets = "{}") {
    return finish(function, invocation(arguments, input, secrets));
  }
  engine::Outcome finish(std::string_view function, engine::Invocation call) {
    auto [future, cancel] = start(function, std::move(call));
    return future.get();
  }
  std::pair<std::future<engine::Outcome>, engine::Cancel> start(std::string_view function, engine::Invocation call) {
    auto promise = std::make_shared<std::promise<engine::Outcome>>();
    auto future = promise->get_future();
    auto* called = registry.get(function);
    auto cancel = called->start(std::move(call), [promise, called](engine::Outcome outcome) {
      if (auto odd = undeclared(*called, outcome); !odd.empty()) {
        return promise->set_exception(std::make_exception_ptr(std::runtime_error(odd)));
      }
      promise->set_value(std::move(outcome));
    });
    return {std::move(future), std::move(cancel)};
  }

  /// What of the output is not as declared. A plan is in place of an output.
  static std::string undeclared(const engine::Function& function, const engine::Outcome& outcome) {
    const auto& output = outcome.output;
    if (!outcome.ok() || (output.get("dry_run").truthy() && output.get("plan").is_array())) return {};
    const auto findings = dsl::Schema::compile(function.info().output).value().validate(output);
    if (findings.empty()) return {};
    return "the output of " + function.info().name + " is not as declared: " + findings.front().pointer + " " + findings.front().message;
  }

  engine::FunctionRegistry registry;

 private:
  std::string folder_;
  async::BlockingPool pool_{"test", 2, 100};
  SystemClock clock_;
  SystemRandom random_;
};

}  // namespace pawl::functions
