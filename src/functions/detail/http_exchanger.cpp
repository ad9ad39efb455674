#include "functions/detail/http_exchanger.hpp"

#include <fmt/format.h>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtin.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/secret_hosts.hpp"
#include "json/parse.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kMaxTokens = 1000;
constexpr std::chrono::seconds kMargin{10};  // a token that is about to expire is not used any more

}  // namespace

// One call on its way: perhaps discovery, perhaps a token, then the request. Each step begins in the answer of the one before.
class HttpExchanger::Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(std::shared_ptr<HttpExchanger> owner, HttpCall call, Authentication authentication, json::Value secrets, Received done)
      : owner_(std::move(owner)),
        call_(std::move(call)),
        authentication_(std::move(authentication)),
        secrets_(std::move(secrets)),
        done_(std::move(done)) {}

  void begin() {
    if (!authentication_.token) return send_call(std::move(authentication_.credentials));
    if (auto token = owner_->kept(authentication_.token->cache_key)) return send_call(net::BearerToken{std::move(*token)});
    if (authentication_.token->token_uri.empty()) return discover();
    ask_for_token();
  }

  void cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (current_ != 0) owner_->outbound_.cancel(current_);
  }

 private:
  // `done` never comes inside `start`, so the handle is known before the next step begins.
  void start(net::OutboundRequest request, Received next) {
    if (const auto held = hold_to_hosts(request, secrets_); held.has_error()) return done_(held.error());
    const std::lock_guard lock(mutex_);
    current_ = owner_->outbound_.start(std::move(request), std::move(next));
    if (cancelled_) owner_->outbound_.cancel(current_);
  }

  void discover() {
    net::OutboundRequest request;
    request.url = authentication_.token->discovery_uri;
    request.max_response_bytes = 1U << 20U;
    start(std::move(request), [self = shared_from_this()](Result<net::OutboundResponse> answer) { self->discovered(std::move(answer)); });
  }

  void discovered(Result<net::OutboundResponse> answer) {
    if (answer.has_error()) return done_(std::move(answer).error());
    const auto document = is_utf8(answer->body) ? json::parse(answer->body) : Result<json::Value>(json::Value());
    const std::string uri = document.has_value() ? text_or(*document, "token_endpoint", "") : "";
    if (answer->status != 200 || uri.empty()) {
      return done_(Error(ErrorClass::unauthenticated, "auth.discovery",
                         fmt::format("{} names no token endpoint", authentication_.token->discovery_uri)));
    }
    authentication_.token->token_uri = uri;
    ask_for_token();
  }

  void ask_for_token() {
    auto request = token_request(*authentication_.token);
    if (request.has_error()) return done_(std::move(request).error());
    start(std::move(request).value(),
          [self = shared_from_this()](Result<net::OutboundResponse> answer) { self->got_token(std::move(answer)); });
  }

  void got_token(Result<net::OutboundResponse> answer) {
    if (answer.has_error()) return done_(std::move(answer).error());
    auto token = read_token(*authentication_.token, *answer);
    if (token.has_error()) return done_(std::move(token).error());
    owner_->keep(authentication_.token->cache_key, *token);
    send_call(net::BearerToken{std::move(token->value)});
  }

  void send_call(net::Credentials credentials) {
    call_.request.credentials = std::move(credentials);
    start(std::move(call_.request), [self = shared_from_this()](Result<net::OutboundResponse> answer) {
      // A token that was refused is not kept: the next try gets a new one.
      if (answer.has_value() && answer->status == 401 && self->authentication_.token)
        self->owner_->forget(self->authentication_.token->cache_key);
      self->done_(std::move(answer));
    });
  }

  const std::shared_ptr<HttpExchanger> owner_;
  HttpCall call_;
  Authentication authentication_;
  const json::Value secrets_;
  const Received done_;
  std::mutex mutex_;
  net::RequestHandle current_ = 0;
  bool cancelled_ = false;
};

engine::Cancel HttpExchanger::send(HttpCall call, const json::Value& secrets, Received done) {
  auto authentication = read_authentication(call.authentication, secrets);
  if (authentication.has_error()) {
    done(std::move(authentication).error());
    return {};
  }
  auto exchange =
      std::make_shared<Exchange>(shared_from_this(), std::move(call), std::move(authentication).value(), secrets, std::move(done));
  exchange->begin();
  return [exchange] { exchange->cancel(); };
}

engine::Cancel HttpExchanger::perform(HttpCall call, json::Value secrets, engine::Done done) {
  const auto shown = std::make_shared<const HttpCall>(shown_part(call));
  auto received = [shown, secrets, done = std::move(done)](Result<net::OutboundResponse> answer) {
    done(answer.has_value() ? to_outcome(*shown, *answer, secrets) : unanswered(*shown, answer.error(), secrets));
  };
  return send(std::move(call), secrets, std::move(received));
}

HttpCall shown_part(HttpCall& call) {
  std::string body = std::move(call.request.body);
  HttpCall shown = call;
  call.request.body = std::move(body);
  return shown;
}

engine::Outcome unanswered(const HttpCall& call, const Error& error, const json::Value& secrets) {
  Error described = error;
  const std::string target = without_userinfo(call.request.url);
  const bool is_named = error.message.starts_with(fmt::format("{} ", call.request.method));  // the network client names the request itself
  described.message = redact(is_named ? error.message : fmt::format("{} {}: {}", call.request.method, target, error.message), secrets);
  return failed(described);
}

std::optional<std::string> HttpExchanger::kept(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = tokens_.find(key);
  if (found == tokens_.end() || std::chrono::steady_clock::now() >= found->second.good_until) return std::nullopt;
  return found->second.value;
}

void HttpExchanger::keep(const std::string& key, const Token& token) {
  const std::lock_guard lock(mutex_);
  if (tokens_.size() >= kMaxTokens) tokens_.clear();
  tokens_[key] = {token.value, std::chrono::steady_clock::now() + token.lifetime - kMargin};
}

void HttpExchanger::forget(const std::string& key) {
  const std::lock_guard lock(mutex_);
  tokens_.erase(key);
}

}  // namespace pawl::functions
