#include "models/detail/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "crypto/crypto.hpp"
#include "json/write.hpp"
#include "models/detail/wire.hpp"

namespace pawl::models::detail {
namespace {

constexpr std::size_t kMostBreakers = 1'000;
constexpr std::size_t kMostCandidates = 10;
constexpr Millis kFirstWait{500};
constexpr Millis kLongestWait{8'000};
constexpr std::size_t kShortestSecret = 6;  // shorter ones occur in honest text
constexpr std::string_view kScripted = "scripted";

/// Providers that hold a model to a strict schema themselves.
bool holds_to_schema(std::string_view provider) {
  return provider == "openai" || provider == "openai-responses" || provider == "anthropic" || provider == "gemini";
}

Failure failure_of_network(const Error& error, bool begun) {
  Failure failure{.kind = FailureClass::transient, .status = 0, .code = error.code, .message = error.message};
  if (begun) failure.kind = FailureClass::partial;
  if (error.code == "net.cancelled") failure.kind = FailureClass::cancelled;
  if (error.code == "net.too_large") failure.kind = FailureClass::protocol;
  if (error.code == "net.refused_address" || error.code == "net.invalid_request") failure.kind = FailureClass::invalid;
  return failure;
}

/// Whether the provider may have worked: it has not where it said so, or where nothing went out.
bool may_be_billed(const Failure& failure, bool begun) {
  constexpr std::string_view kNotSent[] = {"net.dns",        "net.connect",         "net.tls",          "net.refused_address",
                                           "net.overloaded", "net.invalid_request", "net.circuit_open", "llm.circuit_open"};
  if (begun) return true;
  return failure.status == 0 && std::find(std::begin(kNotSent), std::end(kNotSent), failure.code) == std::end(kNotSent);
}

bool is_passing(const Failure& failure) { return failure.kind == FailureClass::transient || failure.kind == FailureClass::partial; }

bool server_failed(const Failure& failure) {
  if (failure.kind == FailureClass::partial || failure.kind == FailureClass::protocol) return true;
  return failure.kind == FailureClass::transient && (failure.status == 0 || failure.status >= 500);
}

}  // namespace

Shared::Shared(Client::Dependencies a_dependencies, ClientOptions a_options)
    : dependencies(std::move(a_dependencies)), options(a_options), cache(options.cache_entries, options.cache_bytes) {}

std::shared_ptr<Gate> Shared::gate(const std::string& address) {
  const std::lock_guard lock(mutex_);
  auto& gate = gates_[address];
  if (!gate) gate = std::make_shared<Gate>(options.max_concurrent, options.max_waiting);
  return gate;
}

std::shared_ptr<CircuitBreaker> Shared::breaker(const std::string& model) {
  const std::lock_guard lock(mutex_);
  // Names of models come from callers: a flood of them makes the breakers forget, and nothing worse.
  if (breakers_.size() >= kMostBreakers && !breakers_.contains(model)) breakers_.clear();
  auto& breaker = breakers_[model];
  if (!breaker) breaker = std::make_shared<CircuitBreaker>(options.breaker);
  return breaker;
}

Result<Candidate> read_candidate(std::string_view provider, std::string_view model, const std::string& fallback_provider) {
  const auto names = provider_names();
  const auto known = [&names](const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  auto chosen = canonical_provider(provider);
  if (chosen.empty()) {
    const auto slash = model.find('/');
    const auto prefix = slash == std::string_view::npos ? std::string() : canonical_provider(model.substr(0, slash));
    if (known(prefix)) return Candidate{prefix, std::string(model.substr(slash + 1))};
    chosen = canonical_provider(fallback_provider);
    if (chosen.empty()) {
      return Error(ErrorClass::conflict, "llm.not_configured",
                   "No model provider is configured: name the model as `provider/model`, or set LLM_PROVIDER.");
    }
  }
  if (!known(chosen)) {
    return Error(ErrorClass::invalid, "llm.unknown_provider",
                 fmt::format("There is no model provider \"{}\"; known are {}.", chosen, fmt::join(names, ", ")));
  }
  const auto slash = model.find('/');
  if (slash != std::string_view::npos && canonical_provider(model.substr(0, slash)) == chosen) model.remove_prefix(slash + 1);
  return Candidate{chosen, std::string(model)};
}

Exchange::Exchange(std::shared_ptr<Shared> shared, Call call, Client::Done done)
    : shared_(std::move(shared)), call_(std::move(call)), done_(std::move(done)), began_(shared_->dependencies.clock.now()) {
  const auto timeout = call_.timeout.count() > 0 ? call_.timeout : shared_->options.timeout;
  deadline_ = began_ + timeout;
}

void Exchange::begin() {
  if (const auto prepared = prepare(); prepared.has_error()) return finish(prepared.error());
  shared_->dependencies.after(left(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->stop(Stop::timeout);
  });
  next_candidate();
}

Result<void> Exchange::prepare() {
  const auto fallback_provider = shared_->dependencies.providers.default_provider(call_.organization);
  PAWL_TRY(first, read_candidate(call_.provider, call_.model, fallback_provider));
  candidates_.push_back(std::move(first));
  if (call_.fallback.size() >= kMostCandidates) {
    return Error(ErrorClass::invalid, "llm.arguments", fmt::format("`fallback` names more than {} models", kMostCandidates - 1));
  }
  for (const auto& name : call_.fallback) {
    PAWL_TRY(next, read_candidate({}, name, candidates_.front().provider));
    candidates_.push_back(std::move(next));
  }
  if (call_.output_schema.is_null()) return {};
  PAWL_TRY(schema, OutputSchema::compile(call_.output_schema));
  schema_ = std::move(schema);
  return {};
}

// ---- who takes the next step ----------------------------------------------------------------------------------------------------

void Exchange::stop(Stop why) {
  std::shared_ptr<Gate> gate;
  Gate::Ticket ticket = 0;
  {
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::over || stop_ != Stop::none) return;
    stop_ = why;
    if (phase_ == Phase::stepping) return;  // the step that runs will see it
    if (phase_ == Phase::calling) {
      if (current_ != 0) shared_->dependencies.outbound.cancel(current_);
      return;
    }
    phase_ = Phase::stepping;
    ticket = std::exchange(ticket_, 0);
    if (ticket != 0) gate = gate_;
  }
  if (gate) gate->give_up(ticket);
  give_up({});
}

bool Exchange::stopped() {
  const std::lock_guard lock(mutex_);
  return stop_ != Stop::none;
}

bool Exchange::resume() {
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::waiting) return false;
  phase_ = Phase::stepping;
  ticket_ = 0;
  return true;
}

// ---- candidates and attempts ----------------------------------------------------------------------------------------------------

Result<void> Exchange::choose(const Candidate& candidate) {
  candidate_ = candidate;
  endpoint_ = Endpoint();
  if (candidate.provider != kScripted) {
    PAWL_TRY(endpoint, shared_->dependencies.providers.endpoint(call_.organization, candidate.provider));
    endpoint_ = std::move(endpoint);
    if (candidate_.model.empty()) candidate_.model = endpoint_.default_model;
  } else if (candidate_.model.empty()) {
    const auto endpoint = shared_->dependencies.providers.endpoint(call_.organization, kScripted);
    if (endpoint.has_value()) candidate_.model = endpoint->default_model;
  }
  if (candidate_.model.empty()) {
    return Error(ErrorClass::invalid, "llm.arguments", fmt::format("No model is named, and {} has no default model.", candidate_.provider));
  }
  PAWL_TRY_VOID(check_parts(endpoint_.wire, call_.request));
  if (endpoint_.wire == Wire::responses && !call_.request.stop.empty()) {
    return Error(ErrorClass::invalid, "llm.arguments", fmt::format("{} knows no `stop`.", candidate_.provider));
  }
  answer_.provider = candidate_.provider;
  answer_.model = candidate_.model;
  answer_.scripted = candidate.provider == kScripted;
  request_ = call_.request;
  request_.model = candidate_.model;
  if (!request_.max_tokens) request_.max_tokens = endpoint_.max_tokens;
  wanted_ = request_.max_tokens;
  if (schema_) {
    request_.output = schema_->form();
    if (!schema_->form().strict || !holds_to_schema(candidate_.provider)) {
      request_.instructions += (request_.instructions.empty() ? "" : "\n\n") + schema_->hint();
    }
  }
  gate_ = shared_->gate(candidate_.provider + " " + endpoint_.base_url);
  // An organization's own key must not close the model for others.
  const auto owner = endpoint_.source == "configuration" ? std::string() : call_.organization.to_string();
  breaker_ = shared_->breaker(candidate_.name() + " " + endpoint_.base_url + " " + owner);
  retries_ = 0;
  return {};
}

void Exchange::next_candidate() {
  for (; index_ < candidates_.size(); ++index_) {
    const auto chosen = choose(candidates_[index_]);
    if (chosen.has_value()) return attempt();
    last_error_ = chosen.error();
    answer_.attempts.push_back({candidates_[index_].name(), last_error_.code + ": " + last_error_.message});
  }
  finish(last_error_);
}

void Exchange::attempt() {
  if (stopped()) return give_up({});
  const auto plain = codec_of(endpoint_.wire).encode(request_, false).body;
  if (const auto checked = check_content(plain); checked.has_error()) return give_up(checked.error());
  if (call_.cache && answer_.repairs == 0) {
    const auto digest = crypto::hash(fmt::format("{} {} {} {}\n{}\n{}", call_.organization.to_string(), candidate_.provider,
                                                 candidate_.model, endpoint_.base_url, plain, json::to_text(call_.output_schema)));
    cache_key_.assign(digest.begin(), digest.end());
    if (auto kept = shared_->cache.find(cache_key_, shared_->dependencies.clock.now())) {
      answer_.cached = true;
      answer_.output = std::move(kept->output);
      if (call_.on_chunk && !kept->reply.content.empty()) {
        call_.on_chunk({.kind = Chunk::Kind::text, .text = kept->reply.content, .index = 0, .id = {}, .name = {}});
      }
      return finish(std::move(kept->reply));
    }
  }
  if (call_.before) {
    if (const auto allowed = call_.before(candidate_.name(), request_); allowed.has_error()) return give_up(allowed.error());
  }
  if (call_.allowance && !is_allowed(plain.size())) return;
  reserve(plain.size());
}

/// False: the call has ended, or goes on with another model.
bool Exchange::is_allowed(std::size_t bytes) {
  const auto& prices = shared_->dependencies.prices;
  if (index_ == 0 && !answer_.price) answer_.price = prices.price(candidate_.name());
  request_.max_tokens = wanted_;
  auto most = fit(*call_.allowance, answer_.charged, prices, candidate_.name(), request_, bytes);
  if (most.has_value() && std::exchange(call_.is_again, false)) {
    // What the earlier process has asked may have been paid for; with repairs as often as there may be any.
    const auto times = static_cast<std::int64_t>(schema_ ? call_.max_repairs : 0) + 1;
    answer_.charged.tokens += most->tokens * times;
    answer_.charged.cost += most->cost * times;
    request_.max_tokens = wanted_;
    most = fit(*call_.allowance, answer_.charged, prices, candidate_.name(), request_, bytes);
    answer_.unanswered = most.has_error();
  }
  if (most.has_value()) {
    most_ = *most;
    return true;
  }
  answer_.attempts.push_back({candidate_.name(), most.error().code + ": " + most.error().message});
  if (index_ == 0) {
    give_up(most.error());
    return false;
  }
  ++index_;  // dearer than the one that was asked for, which says why it gave no answer
  next_candidate();
  return false;
}

void Exchange::reserve(std::size_t bytes) {
  const auto& dependencies = shared_->dependencies;
  if (dependencies.ledger == nullptr || call_.organization.is_nil()) return proceed();
  const auto tokens = most_tokens(request_, bytes);
  const auto cost = most_cost(dependencies.prices, candidate_.name(), request_, tokens);
  {
    const std::lock_guard lock(mutex_);
    phase_ = Phase::waiting;
  }
  const Claim claim{.organization = call_.organization, .most = {tokens, cost.value_or(0)}, .is_priced = cost.has_value()};
  dependencies.ledger->reserve(claim, [self = shared_from_this()](Result<Grant> grant) {
    if (self->resume()) return self->reserved(std::move(grant));
    if (grant.has_value()) self->shared_->dependencies.ledger->settle(*grant, Amount());  // ended meanwhile: nothing was sent
  });
}

/// On the thread that keeps the account, which has better things to do than to encode requests.
void Exchange::reserved(Result<Grant> grant) {
  if (grant.has_error()) {
    answer_.attempts.push_back({candidate_.name(), grant.error().code + ": " + grant.error().message});
    return give_up(grant.error());
  }
  grant_ = *grant;
  if (grant->is_limited && !request_.max_tokens) request_.max_tokens = kUsualAnswerTokens;
  const auto& work = shared_->dependencies.work;
  if (!work || !work([self = shared_from_this()] { self->proceed(); })) proceed();
}

void Exchange::proceed() {
  if (stopped()) return give_up({});
  if (answer_.scripted) return ask_script();
  enter_gate();
}

/// Nothing: as much as was reserved.
void Exchange::settle(std::optional<Amount> used) {
  sent_ = false;
  const auto most = std::exchange(most_, Amount());
  answer_.charged.tokens += used.value_or(most).tokens;
  answer_.charged.cost += used.value_or(most).cost;
  if (const auto grant = std::exchange(grant_, std::nullopt)) shared_->dependencies.ledger->settle(*grant, used);
}

void Exchange::ask_script() {
  sent_ = true;
  OnChunk on_chunk;
  if (call_.on_chunk) {
    on_chunk = [this](const Chunk& chunk) {
      *streamed_ = true;
      call_.on_chunk(chunk);
    };
  }
  auto outcome = shared_->dependencies.scripts.answer(candidate_.model, request_, retries_, on_chunk);
  if (outcome.has_error()) return failed(outcome.error());
  succeeded(std::move(outcome).value());
}

void Exchange::enter_gate() {
  const auto gate = gate_;
  const auto ticket = gate->ticket();
  {
    const std::lock_guard lock(mutex_);
    phase_ = Phase::waiting;
    ticket_ = ticket;
  }
  const bool accepted = gate->enter(ticket, [self = shared_from_this(), gate] {
    if (self->resume()) return self->send();
    gate->leave();
  });
  if (accepted) {
    if (stopped()) gate->give_up(ticket);  // before it stood in the line
    return;
  }
  if (!resume()) return;
  failed({.kind = FailureClass::transient,
          .status = 0,
          .code = "llm.overloaded",
          .message = "too many calls wait already",
          .retry_after = {},
          .should_retry = false});
}

void Exchange::send() {
  permit_ = breaker_->try_acquire(steady_now());
  if (!permit_) {
    gate_->leave();
    return failed({.kind = FailureClass::transient,
                   .status = 0,
                   .code = "llm.circuit_open",
                   .message = "the model has failed several times in a row and is left alone for a while",
                   .retry_after = {},
                   .should_retry = false});
  }
  const auto& codec = codec_of(endpoint_.wire);
  const bool stream = static_cast<bool>(call_.on_chunk);
  auto wire = codec.encode(request_, stream);
  net::OutboundRequest outgoing;
  outgoing.method = "POST";
  outgoing.url = endpoint_.base_url + wire.path;
  outgoing.headers = std::move(wire.headers);
  outgoing.headers.insert(outgoing.headers.end(), endpoint_.headers.begin(), endpoint_.headers.end());
  outgoing.body = std::move(wire.body);
  outgoing.timeout = std::max(left(), Millis(1));
  outgoing.at_most_once = true;       // a repetition costs money: it is made here, where it is counted and shown
  outgoing.follow_redirects = false;  // the key goes to this address and no other
  outgoing.at_most_once = true;       // or a kept connection that breaks has the answer made, and paid, twice
  outgoing.max_response_bytes = shared_->options.max_response;
  decoder_.reset();
  if (stream) {
    decoder_ = codec.stream();
    outgoing.idle_timeout = shared_->options.idle_timeout;
    outgoing.on_body = [decoder = decoder_, streamed = streamed_, on_chunk = call_.on_chunk](std::string_view piece) {
      decoder->feed(piece, [&](const Chunk& chunk) {
        *streamed = true;
        on_chunk(chunk);
      });
    };
  }
  sent_ = true;
  const std::lock_guard lock(mutex_);
  phase_ = Phase::calling;
  const TraceScope scope(trace_);
  current_ = shared_->dependencies.outbound.start(
      std::move(outgoing), [self = shared_from_this()](Result<net::OutboundResponse> answer) { self->received(std::move(answer)); });
  if (stop_ != Stop::none) shared_->dependencies.outbound.cancel(current_);
}

/// On the network client's only thread: what takes time (decoding megabytes, schemas, what `done` makes of an answer) is for another one.
void Exchange::received(Result<net::OutboundResponse> answer) {
  const auto& work = shared_->dependencies.work;
  if (!work || answer.has_error()) return answered(std::move(answer));
  const auto kept = std::make_shared<Result<net::OutboundResponse>>(std::move(answer));
  if (!work([self = shared_from_this(), kept] { self->answered(std::move(*kept)); })) answered(std::move(*kept));
}

void Exchange::answered(Result<net::OutboundResponse> answer) {
  {
    const std::lock_guard lock(mutex_);
    phase_ = Phase::stepping;
    current_ = 0;
  }
  auto outcome = outcome_of(std::move(answer));
  breaker_->report(*permit_, verdict(outcome), steady_now());
  gate_->leave();
  if (outcome.has_error()) return failed(std::move(outcome).error());
  succeeded(std::move(outcome).value());
}

/// What the attempt says about the model's server.
CircuitBreaker::Outcome Exchange::verdict(const Outcome<Reply>& outcome) const {
  if (outcome.has_value()) return CircuitBreaker::Outcome::success;
  const auto& failure = outcome.error();
  if (failure.kind == FailureClass::cancelled) return CircuitBreaker::Outcome::ignored;
  // Decided on this side: the server has not been asked, or was given less time than it may need.
  if (failure.code == "net.overloaded" || failure.code == "net.circuit_open" || failure.code == "net.refused_address" ||
      failure.code == "net.invalid_request") {
    return CircuitBreaker::Outcome::ignored;
  }
  if (failure.code == "net.timeout" && call_.timeout.count() > 0 && left().count() == 0) return CircuitBreaker::Outcome::ignored;
  return server_failed(failure) ? CircuitBreaker::Outcome::failure : CircuitBreaker::Outcome::success;
}

Outcome<Reply> Exchange::outcome_of(Result<net::OutboundResponse> answer) {
  if (answer.has_error()) return failure_of_network(answer.error(), decoder_ && decoder_->begun());
  if (answer->status < 200 || answer->status >= 300) {
    return failure_of(endpoint_.wire, answer->status, answer->headers, answer->body, shared_->dependencies.clock.now());
  }
  if (decoder_) return decoder_->finish();
  return codec_of(endpoint_.wire).decode(answer->body);
}

// ---- what came of it ------------------------------------------------------------------------------------------------------------

void Exchange::failed(Failure failure) {
  const bool costs = sent_ && !answer_.scripted && may_be_billed(failure, decoder_ && decoder_->begun());
  settle(costs ? std::nullopt : std::optional(Amount()));
  if (decoder_) {
    count(decoder_->usage());
    if (decoder_->begun() && decoder_->usage().empty()) cost_known_ = false;  // it is paid for, and nobody said how much
  }
  if (!decoder_ && failure.kind == FailureClass::cancelled) cost_known_ = false;  // it was sent, and nobody said what that costs
  decoder_.reset();
  last_error_ = error_of(failure);
  answer_.attempts.push_back({candidate_.name(), last_error_.code + ": " + last_error_.message});
  if (failure.kind == FailureClass::cancelled || stopped()) return give_up(last_error_);
  if (costs && call_.allowance) {
    answer_.unanswered = failure.should_retry.value_or(is_passing(failure));
    void_chunks();
    return give_up(last_error_);
  }
  const bool again = failure.should_retry.value_or(is_passing(failure));
  const auto wait = failure.retry_after.value_or(backoff());
  void_chunks();
  if (again && retries_ < call_.max_retries && wait < left()) {
    ++retries_;
    {
      const std::lock_guard lock(mutex_);
      phase_ = Phase::waiting;
    }
    return shared_->dependencies.after(wait, [self = shared_from_this()] {
      if (self->resume()) self->attempt();
    });
  }
  ++index_;
  next_candidate();
}

void Exchange::succeeded(Reply reply) {
  decoder_.reset();
  if (reply.model.empty()) reply.model = candidate_.model;
  settle(reply.usage.empty() ? std::nullopt : std::optional(amount_of(shared_->dependencies.prices, candidate_.name(), reply.usage)));
  count(reply.usage);
  answer_.attempts.push_back({candidate_.name(), {}});
  if (schema_ && reply.tool_calls.empty() && reply.finish == FinishReason::stop) {
    auto read = schema_->read(reply.content);
    if (!read.ok()) return repair(reply, read.findings);
    answer_.output = std::move(*read.value);
  }
  const bool whole = reply.finish == FinishReason::stop || reply.finish == FinishReason::tool_calls;
  if (call_.cache && whole && !cache_key_.empty()) {
    shared_->cache.keep(cache_key_, {reply, answer_.output}, shared_->dependencies.clock.now() + *call_.cache);
  }
  finish(std::move(reply));
}

void Exchange::repair(const Reply& reply, const Findings& findings) {
  answer_.attempts.back().error = "llm.output_invalid: the answer is not valid against the schema";
  if (answer_.repairs >= call_.max_repairs) {
    last_error_ = Error(
        ErrorClass::unprocessable, "llm.output_invalid",
        fmt::format("{} gave no answer that is valid against the schema, after {} repairs", candidate_.name(), answer_.repairs), findings);
    void_chunks();
    ++index_;
    return next_candidate();
  }
  ++answer_.repairs;
  retries_ = 0;
  request_.messages.push_back(to_message(reply));
  request_.messages.push_back(Message::of(Role::user, repair_prompt(findings)));
  void_chunks();
  attempt();
}

/// The end without another candidate: cancelled, out of time, or forbidden.
void Exchange::give_up(Error error) {
  Stop why = Stop::none;
  {
    const std::lock_guard lock(mutex_);
    why = stop_;
  }
  if (why == Stop::cancelled) error = Error(ErrorClass::unavailable, "llm.cancelled", "The call was cancelled.");
  if (why == Stop::timeout) {
    const auto past = last_error_.message.empty() ? std::string() : " (" + last_error_.message + ")";
    error = Error(ErrorClass::timeout, "llm.timeout", candidate_.name() + " did not answer in time" + past);
  }
  finish(std::move(error));
}

void Exchange::finish(Result<Reply> reply) {
  {
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::over) return;
    phase_ = Phase::over;
  }
  settle(sent_ ? std::nullopt : std::optional(Amount()));
  answer_.reply = std::move(reply);
  if (!cost_known_) answer_.cost.reset();
  const auto& measure = shared_->dependencies.measure;
  if (measure && !answer_.cached) {
    measure({.provider = answer_.provider,
             .model = answer_.model,
             .error = answer_.reply.has_error() ? std::string_view(answer_.reply.error().code) : std::string_view(),
             .usage = answer_.usage,
             .cost = answer_.cost,
             .took = shared_->dependencies.clock.now() - began_,
             .prompt = call_.prompt,
             .is_step = call_.is_step});
  }
  const auto done = std::move(done_);
  done(std::move(answer_));
}

// ---- small parts ----------------------------------------------------------------------------------------------------------------

void Exchange::void_chunks() {
  if (!std::exchange(*streamed_, false) || !call_.on_chunk) return;
  call_.on_chunk({.kind = Chunk::Kind::reset, .text = {}, .index = 0, .id = {}, .name = {}});
}

void Exchange::count(const Usage& usage) {
  answer_.usage += usage;
  const auto cost = shared_->dependencies.prices.cost(candidate_.name(), usage);
  cost_known_ = cost_known_ && cost.has_value();
  answer_.cost = answer_.cost.value_or(0) + cost.value_or(0);
}

Result<void> Exchange::check_content(std::string_view body) const {
  for (const auto& secret : call_.forbidden) {
    if (secret.size() < kShortestSecret) continue;
    auto quoted = json::to_text(json::Value(secret));
    const auto inner = std::string_view(quoted).substr(1, quoted.size() - 2);
    if (body.find(inner) != std::string_view::npos) {
      return Error(ErrorClass::denied, "llm.secret", "The request carries a secret of the run: models never see secrets.");
    }
  }
  return {};
}

Error Exchange::error_of(const Failure& failure) const {
  // What a provider says about a key may repeat it.
  const bool quiet = failure.kind == FailureClass::auth;
  // Cut after the secrets are out: half of one is not found any more.
  const auto what =
      fmt::format("{}: {}{}{}", candidate_.name(), failure.status == 0 ? "" : fmt::format("{} ", failure.status),
                  shortened(redacted(failure.code)), quiet || failure.message.empty() ? "" : ": " + shortened(redacted(failure.message)));
  const auto make = [&](ErrorClass kind, std::string_view code) { return Error(kind, std::string(code), what); };
  switch (failure.kind) {
    case FailureClass::transient:
      if (is_rate_limit(failure)) return make(ErrorClass::limited, "llm.rate_limited");
      if (failure.code == "net.timeout") return make(ErrorClass::timeout, "llm.timeout");
      if (failure.code == "llm.overloaded") return make(ErrorClass::limited, failure.code);
      return make(ErrorClass::unavailable, "llm.unavailable");
    case FailureClass::partial: return make(ErrorClass::unavailable, "llm.unavailable");
    case FailureClass::quota: return make(ErrorClass::unavailable, "llm.quota");
    case FailureClass::auth: return make(ErrorClass::conflict, "llm.auth");
    case FailureClass::invalid:
      if (failure.code.starts_with("net.")) return make(ErrorClass::denied, failure.code);
      return make(ErrorClass::unprocessable, "llm.invalid_request");
    case FailureClass::too_large: return make(ErrorClass::too_large, "llm.too_large");
    case FailureClass::context_full: return make(ErrorClass::unprocessable, "llm.context_full");
    case FailureClass::filtered: return make(ErrorClass::unprocessable, "llm.filtered");
    case FailureClass::cancelled: return make(ErrorClass::unavailable, "llm.cancelled");
    case FailureClass::protocol: return make(ErrorClass::unavailable, "llm.protocol");
  }
  return make(ErrorClass::internal, "llm.unavailable");
}

std::string Exchange::redacted(std::string text) const {
  const auto take_out = [&text](const std::string& secret) {
    if (secret.size() < kShortestSecret) return;
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at)) text.replace(at, secret.size(), "********");
  };
  take_out(endpoint_.key);
  for (const auto& secret : call_.forbidden) take_out(secret);
  return text;
}

Millis Exchange::left() const { return std::max(Millis(0), deadline_ - shared_->dependencies.clock.now()); }

CircuitBreaker::Time Exchange::steady_now() const {
  const auto& dependencies = shared_->dependencies;
  return dependencies.steady ? dependencies.steady() : CircuitBreaker::Time(dependencies.clock.now().time_since_epoch());
}

Millis Exchange::backoff() const {
  const auto wait = std::min(kLongestWait, kFirstWait * (std::int64_t{1} << std::min(retries_, 10U)));
  const auto quarter = static_cast<std::uint64_t>(wait.count() / 4 + 1);
  return wait - Millis(static_cast<std::int64_t>(shared_->dependencies.random.next() % quarter));
}

}  // namespace pawl::models::detail
