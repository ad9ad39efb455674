// One call on its way: candidates, attempts, waits, repairs. Each step begins where the one before ended; a cancel or the timeout may come
// from any thread in between.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/trace_context.hpp"
#include "models/client.hpp"
#include "models/detail/answer_cache.hpp"
#include "models/detail/gate.hpp"
#include "models/structured.hpp"

namespace pawl::models::detail {

/// What all calls share.
struct Shared {
  Shared(Client::Dependencies a_dependencies, ClientOptions a_options);

  [[nodiscard]] std::shared_ptr<Gate> gate(const std::string& address);
  [[nodiscard]] std::shared_ptr<CircuitBreaker> breaker(const std::string& model);

  const Client::Dependencies dependencies;
  const ClientOptions options;
  AnswerCache cache;

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Gate>> gates_;
  std::map<std::string, std::shared_ptr<CircuitBreaker>> breakers_;
};

/// Provider and model of `openai/gpt-4o`, or of a provider and a model.
struct Candidate {
  std::string provider;
  std::string model;
  [[nodiscard]] std::string name() const { return provider + "/" + model; }
};
[[nodiscard]] Result<Candidate> read_candidate(std::string_view provider, std::string_view model, const std::string& fallback_provider);

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(std::shared_ptr<Shared> shared, Call call, Client::Done done);
  void begin();
  void cancel() { stop(Stop::cancelled); }

 private:
  enum class Stop : std::uint8_t { none, cancelled, timeout };
  /// Who will take the next step: this thread, something that is waited for, or the network client.
  enum class Phase : std::uint8_t { stepping, waiting, calling, over };

  [[nodiscard]] Result<void> prepare();
  [[nodiscard]] Result<void> choose(const Candidate& candidate);
  void stop(Stop why);
  [[nodiscard]] bool stopped();
  /// True when a wait is over and the call goes on; false when it has ended meanwhile.
  [[nodiscard]] bool resume();

  void next_candidate();
  void attempt();
  [[nodiscard]] bool is_allowed(std::size_t bytes);
  void reserve(std::size_t bytes);
  void reserved(Result<Grant> grant);
  void proceed();
  void settle(std::optional<Amount> used);
  void ask_script();
  void enter_gate();
  void send();
  void received(Result<net::OutboundResponse> answer);
  void answered(Result<net::OutboundResponse> answer);
  [[nodiscard]] CircuitBreaker::Outcome verdict(const Outcome<Reply>& outcome) const;
  [[nodiscard]] Outcome<Reply> outcome_of(Result<net::OutboundResponse> answer);
  void failed(Failure failure);
  void succeeded(Reply reply);
  void repair(const Reply& reply, const Findings& findings);
  void give_up(Error error);
  void finish(Result<Reply> reply);

  void void_chunks();
  void count(const Usage& usage);
  [[nodiscard]] Result<void> check_content(std::string_view body) const;
  [[nodiscard]] Error error_of(const Failure& failure) const;
  [[nodiscard]] std::string redacted(std::string text) const;
  [[nodiscard]] Millis left() const;
  [[nodiscard]] Millis backoff() const;
  [[nodiscard]] CircuitBreaker::Time steady_now() const;

  const std::shared_ptr<Shared> shared_;
  const TraceContext trace_ = current_trace();  // of whoever asks: attempts begin on other threads
  Call call_;
  Client::Done done_;
  const TimePoint began_;
  TimePoint deadline_;
  std::optional<OutputSchema> schema_;
  std::vector<Candidate> candidates_;
  std::size_t index_ = 0;
  std::uint32_t retries_ = 0;  // of this candidate and request

  // Of the candidate.
  Candidate candidate_;
  Endpoint endpoint_;
  Request request_;
  std::optional<std::int64_t> wanted_;  // longest answer that was asked for
  std::shared_ptr<Gate> gate_;          // changes while this steps only
  std::shared_ptr<CircuitBreaker> breaker_;
  std::string cache_key_;

  // Of the attempt.
  std::optional<CircuitBreaker::Permit> permit_;
  std::optional<Grant> grant_;  // what is reserved for it
  Amount most_;                 // where the call has an allowance: the most that it can take
  bool sent_ = false;           // it may cost something
  std::shared_ptr<StreamDecoder> decoder_;
  std::shared_ptr<bool> streamed_ = std::make_shared<bool>(false);

  Answer answer_;
  bool cost_known_ = true;
  Error last_error_;

  std::mutex mutex_;
  Phase phase_ = Phase::stepping;  // guarded, as the next two
  Stop stop_ = Stop::none;
  net::RequestHandle current_ = 0;
  Gate::Ticket ticket_ = 0;  // while it waits for a place; guarded
};

}  // namespace pawl::models::detail
