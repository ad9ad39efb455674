/// Asks models: finds the provider and its key, waits for a place, retries, falls back where that was wished for, checks the form of the
/// answer and has it repaired, adds up tokens and cost.
///
///     client.ask({.organization = org, .model = "openai/gpt-4o-mini", .request = request}, [](models::Answer answer) { ... });
///
/// A model is named `provider/model`, or `model` beside `provider`. Providers: `openai`, `openai-responses`, `openai-compatible`,
/// `anthropic`, `gemini`, `ollama`, `scripted`.
///
/// - **Attempts.** Failures of class `transient` and `partial` (codec.hpp) are tried again, twice by default: after what the server asks
///   for (`Retry-After` and its relatives), else after 0.5 s, 1 s, 2 s ... up to 8 s, less up to a quarter by chance. Where the wait is
///   longer than what is left of the call's time it fails at once, so that the workflow's own retry can wait durably. Then the models of
///   `fallback` have their turn, in order, and never another one. Every attempt is listed in the answer.
/// - **Places.** At most `max_concurrent` calls to one provider address are under way; more wait in order, up to `max_waiting`.
/// - **Breaker.** Five server failures in a row and a model is left alone for half a minute (base/circuit_breaker.hpp), for the
///   organization whose key it was where the key is its own. What was refused or ended on this side does not count.
/// - **Budget.** Where there is a ledger, every request of an organization reserves the most that it can take before it is made, and says
///   afterwards what it took (`ledger.hpp`). One that does not fit ends the call (`llm.budget`, 429); other models are not asked.
/// - **Stream.** With `on_chunk` the answer is streamed; a new attempt sends a `reset` first.
/// - **Cache.** Where the call asks for it, the same request of the same organization gets the same answer for a while, from memory.
///
/// Error codes of an answer: `llm.not_configured` (409), `llm.unknown_provider`, `llm.arguments`, `llm.rate_limited` (429), `llm.quota`,
/// `llm.auth`, `llm.invalid_request`, `llm.too_large`, `llm.context_full`, `llm.filtered`, `llm.unavailable`, `llm.timeout`,
/// `llm.cancelled`, `llm.protocol`, `llm.output_invalid`, `llm.overloaded`, `llm.budget` (429), those of `fit` (ledger.hpp), and those of
/// `net::Outbound` that say the address is refused. Sentences never hold a key.
///
/// Threads: any. `on_chunk` comes on a thread of the network client, the end there, on one of `work` or of the timer; both perhaps inside
/// `ask`. They must not block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/circuit_breaker.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "models/codec.hpp"
#include "models/ledger.hpp"
#include "models/message.hpp"
#include "models/prices.hpp"
#include "models/scripted.hpp"
#include "net/outbound.hpp"

namespace pawl::models {

/// Where a provider is called and with what.
struct Endpoint {
  Wire wire = Wire::chat;
  std::string base_url;  ///< without a slash at the end
  Fields headers{};      ///< with the key
  std::string key{};     ///< that the headers hold: it never shows in a sentence
  std::string default_model{};
  std::optional<std::int64_t> max_tokens{};  ///< where a call gives no limit
  std::string source{};                      ///< `configuration`, or the integration's name
};

/// One row of `GET /api/llm/providers`.
struct ProviderState {
  std::string name;
  bool available = false;
  std::string model;   ///< default; may be empty
  std::string source;  ///< where the key comes from
  std::string reason;  ///< why it is not available
};

/// Who knows addresses and keys. Must not block.
class Providers {
 public:
  Providers() = default;
  Providers(const Providers&) = delete;
  Providers& operator=(const Providers&) = delete;
  virtual ~Providers() = default;
  /// Error `llm.not_configured` with what is missing.
  [[nodiscard]] virtual Result<Endpoint> endpoint(const OrganizationId& organization, std::string_view provider) const = 0;
  /// Of calls that name none; empty: there is none.
  [[nodiscard]] virtual std::string default_provider(const OrganizationId& organization) const = 0;
};

/// The names of all providers, `scripted` included.
[[nodiscard]] std::vector<std::string> provider_names();
/// `claude` is `anthropic`, `google` is `gemini`; other names as they are.
[[nodiscard]] std::string canonical_provider(std::string_view name);

struct Call {
  OrganizationId organization;
  std::string provider{};  ///< empty: the part of `model` before the slash, else the default
  std::string model{};     ///< empty: the provider's default
  std::vector<std::string> fallback{};
  Request request{};            ///< its `model` and `output` are filled in here
  json::Value output_schema{};  ///< null: plain text
  std::uint32_t max_repairs = 2;
  std::uint32_t max_retries = 2;  ///< of each model
  Millis timeout{0};              ///< for everything; 0: the client's
  std::optional<Millis> cache{};  ///< how long the answer may be kept and used again
  OnChunk on_chunk{};
  /// Values that no request may carry: the run's secrets. One that does is refused (`llm.secret`).
  std::vector<std::string> forbidden{};
  /// What the call may take with all its requests: a request that does not fit is not made, and its longest answer is cut to what does.
  /// After a request that may have been paid for without an answer there is no further one: who set this aside knows what else there is.
  std::optional<Allowance> allowance{};
  std::string prompt{};  ///< of the program, whose text the instructions are: `plan@1`; for traces
  bool is_step = false;  ///< of a run, whose trace tells of it
  /// An earlier process had begun this call, and died: a request of it may have been paid for.
  bool is_again = false;
  /// Before each request that may cost something: false, with a reason, ends the call (`llm.budget`). May be empty.
  std::function<Result<void>(std::string_view model, const Request& request)> before{};
};

struct Attempt {
  std::string model;  ///< `openai/gpt-4o-mini`
  std::string error;  ///< empty: it answered
};

struct Answer {
  Result<Reply> reply = Error(ErrorClass::internal, "llm.unavailable", "not asked");
  std::string provider;
  std::string model;           ///< as the provider calls it
  json::Value output;          ///< where a schema was given and `reply` is there
  Usage usage;                 ///< of all attempts that told it, repairs included
  std::optional<double> cost;  ///< US dollars; nothing: the price is unknown
  std::vector<Attempt> attempts;
  std::uint32_t repairs = 0;
  /// Where the call had an allowance: what of it is gone. What nobody told counts as the most that it could be.
  Amount charged;
  std::optional<Prices::Price> price;  ///< there too: of the model that was asked first
  bool unanswered = false;             ///< there too: a request may have been paid for and has no answer, so it was not made again
  bool scripted = false;
  bool cached = false;
};

/// What a call was, for figures. No content.
struct Measured {
  std::string_view provider;
  std::string_view model;
  std::string_view error;  ///< code; empty: it worked
  Usage usage;
  std::optional<double> cost;
  Millis took{};
  std::string_view prompt{};  ///< as `Call::prompt`
  bool is_step = false;       ///< likewise
};

struct ClientOptions {
  Millis timeout{120'000};
  Millis idle_timeout{60'000};  ///< between two pieces of a stream
  std::uint32_t max_concurrent = 32;
  std::uint32_t max_waiting = 10'000;
  std::size_t max_response = 32U << 20U;
  std::size_t cache_entries = 1'000;
  std::size_t cache_bytes = 32U << 20U;
  CircuitBreakerOptions breaker{.failures_to_open = 5, .open_for = std::chrono::seconds(30)};
};

class Client {
 public:
  /// Runs `job` after a while, on some thread; drops it when the program ends.
  using After = std::function<void(Millis, std::function<void()> job)>;
  struct Dependencies {
    net::Outbound& outbound;
    const Providers& providers;
    const Clock& clock;
    Random& random;
    After after;
    Prices prices{};
    Scripts scripts{};
    std::function<void(const Measured&)> measure{};  ///< may be empty
    /// Runs a job where it may take its time; false: not taken. Answers are decoded and `done` comes there. Empty: on the network's thread.
    std::function<bool(std::function<void()> job)> work{};
    Ledger* ledger = nullptr;  ///< null: nothing is accounted; it outlives the client
    /// Time of the breakers, which no change of the wall clock moves. Empty: the clock.
    std::function<CircuitBreaker::Time()> steady{};
  };
  explicit Client(Dependencies dependencies, ClientOptions options = ClientOptions());
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  using Done = std::function<void(Answer)>;
  using Cancel = std::function<void()>;
  /// `done` comes exactly once, perhaps inside of this call. The returned function ends the call early: `done` comes with `llm.cancelled`.
  Cancel ask(Call call, Done done);

  /// What can be asked for the organization; nothing is called.
  [[nodiscard]] std::vector<ProviderState> providers(const OrganizationId& organization) const;
  [[nodiscard]] const Prices& prices() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace pawl::models
