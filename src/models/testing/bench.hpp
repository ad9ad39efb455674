/// For tests, of this module and of others: a client over a scripted network, with a clock and a timer that the test moves.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "json/parse.hpp"
#include "models/client.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::models {

class TestClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return now_; }
  void advance(Millis by) { now_ += by; }

 private:
  TimePoint now_{std::chrono::seconds(1'800'000'000)};
};

class TestRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t next() override { return 0; }
};

class TestProviders final : public Providers {
 public:
  [[nodiscard]] Result<Endpoint> endpoint(const OrganizationId&, std::string_view provider) const override {
    const auto found = endpoints.find(provider);
    if (found == endpoints.end()) return Error(ErrorClass::conflict, "llm.not_configured", std::string(provider) + " is not configured");
    return found->second;
  }
  [[nodiscard]] std::string default_provider(const OrganizationId&) const override { return fallback; }

  std::map<std::string, Endpoint, std::less<>> endpoints;
  std::string fallback;
};

/// A client that has done nothing yet. `run` moves network and time until nothing is left to do.
class ModelBench {
 public:
  ModelBench() {
    providers.endpoints["openai"] = {.wire = Wire::chat,
                                     .base_url = "http://openai.test/v1",
                                     .headers = {{"Authorization", "Bearer sk-test-key-123456"}},
                                     .key = "sk-test-key-123456",
                                     .default_model = "gpt-4o-mini"};
    providers.endpoints["anthropic"] = {.wire = Wire::anthropic, .base_url = "http://anthropic.test"};
  }

  [[nodiscard]] Client& client() {
    if (!client_) {
      client_ = std::make_unique<Client>(
          Client::Dependencies{
              .outbound = outbound,
              .providers = providers,
              .clock = clock,
              .random = random_,
              .after = [this](Millis wait, std::function<void()> job) { jobs_.emplace_back(clock.now() + wait, std::move(job)); },
              .prices = Prices::built_in(),
              .scripts = scripts,
              .measure = [this](const Measured& call) { measured.emplace_back(call.error); },
              .ledger = ledger},
          options);
    }
    return *client_;
  }

  /// Network first, then the next timer before `most` has passed.
  void run(Millis most = std::chrono::minutes(1)) {
    const auto end = clock.now() + most;
    for (;;) {
      if (outbound.deliver() > 0) continue;
      const auto next = std::min_element(jobs_.begin(), jobs_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      if (next == jobs_.end() || next->first > end) return;
      if (next->first > clock.now()) clock.advance(next->first - clock.now());
      auto job = std::move(next->second);
      jobs_.erase(next);
      job();
    }
  }
  [[nodiscard]] Answer ask(Call call) {
    Answer result;
    bool done = false;
    client().ask(std::move(call), [&](Answer answer) {
      result = std::move(answer);
      done = true;
    });
    run();
    if (!done) result.reply = Error(ErrorClass::internal, "test", "no answer came");
    return result;
  }

  net::ScriptedOutbound outbound;
  TestProviders providers;
  TestClock clock;
  Scripts scripts;
  Ledger* ledger = nullptr;
  ClientOptions options;
  std::vector<std::string> measured;

 private:
  TestRandom random_;
  std::vector<std::pair<TimePoint, std::function<void()>>> jobs_;
  std::unique_ptr<Client> client_;
};

}  // namespace pawl::models
