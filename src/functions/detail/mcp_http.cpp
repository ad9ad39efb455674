#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <mutex>

#include "engine/machine/machine.hpp"
#include "functions/detail/http_exchanger.hpp"
#include "functions/detail/mcp_talk.hpp"
#include "net/event_stream.hpp"

namespace pawl::functions {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;
using mcp::Outgoing;

constexpr std::size_t kMaxSession = 1024;
constexpr Millis kAside{10'000};  // messages that nobody waits for

/// What identifies a session must be something that a header field carries.
bool is_session(std::string_view text) {
  return !text.empty() && text.size() <= kMaxSession && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

/// Requests go one after the other; each is begun in the answer of the one before, on the client's thread.
class HttpTalk : public std::enable_shared_from_this<HttpTalk> {
 public:
  HttpTalk(std::shared_ptr<HttpExchanger> http, HttpCall place, Talk talk, TalkDone done)
      : http_(std::move(http)),
        place_(std::move(place)),
        limit_(talk.options.limits.max_message),
        secrets_(std::move(talk.secrets)),
        at_most_once_(talk.at_most_once),
        deadline_(std::chrono::steady_clock::now() + talk.timeout),
        done_(std::move(done)),
        conversation_(std::move(talk.ask), std::move(talk.options)) {}

  void begin() {
    {
      const std::lock_guard lock(mutex_);
      queue_in(conversation_.begin());
    }
    pump();
  }

  void cancel() {
    engine::Cancel current;
    std::vector<Outgoing> farewell;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      current = current_;
      farewell = conversation_.cancel();
    }
    for (const auto& message : farewell) aside("POST", message);
    if (current) current();
  }

 private:
  void queue_in(std::vector<Outgoing> messages) {
    for (auto& message : messages) queue_.push_back(std::move(message));
  }

  // ---- requests --------------------------------------------------------------------------------------------------------------------

  [[nodiscard]] HttpCall call_of(const std::string& method, const Outgoing& message, Millis timeout) const {
    HttpCall call = place_;
    auto& request = call.request;
    request.method = method;
    request.body = message.text;
    request.headers.emplace_back("Accept", "application/json, text/event-stream");
    if (!message.text.empty()) request.headers.emplace_back("Content-Type", "application/json");
    for (const auto& field : message.fields) request.headers.push_back(field);
    if (!session_.empty()) request.headers.emplace_back("Mcp-Session-Id", session_);
    request.timeout = timeout;
    request.follow_redirects = false;
    request.max_response_bytes = limit_;
    request.at_most_once = at_most_once_ && message.acts;
    return call;
  }

  /// Nobody waits for what comes of it.
  void aside(const std::string& method, const Outgoing& message) {
    HttpCall call;
    {
      const std::lock_guard lock(mutex_);
      call = call_of(method, message, kAside);
    }
    static_cast<void>(http_->send(std::move(call), secrets_, [](const Result<net::OutboundResponse>&) {}));
  }

  void pump() {
    std::optional<HttpCall> call;
    int step = 0;
    bool is_over = false;
    {
      const std::lock_guard lock(mutex_);
      is_over = conversation_.ended() || cancelled_;
      if (!is_over && !queue_.empty()) {
        const auto left = std::chrono::ceil<Millis>(deadline_ - std::chrono::steady_clock::now());
        call = call_of("POST", queue_.front(), std::max(left, Millis(1)));
        expects_answer_ = queue_.front().expects_answer;
        queue_.pop_front();
        answered_ = false;
        form_ = Form::unknown;
        body_.clear();
        events_ = {};
        step = ++step_;
        current_ = {};
      }
    }
    if (is_over) return finish(std::nullopt);
    if (!call) return finish(protocol_failure("The server ended the exchange without an answer."));
    shown_ = std::make_shared<const HttpCall>(shown_part(*call));
    call->request.on_body = [weak = weak_from_this(), step](std::string_view piece) {
      if (const auto self = weak.lock()) self->heard(step, piece);
    };
    auto ended = [self = shared_from_this(), step](Result<net::OutboundResponse> answer) { self->received(step, std::move(answer)); };
    under_way(step, http_->send(std::move(*call), secrets_, std::move(ended)));
  }

  /// The next step may have begun already.
  void under_way(int step, engine::Cancel cancel) {
    {
      const std::lock_guard lock(mutex_);
      if (!cancelled_ && !(step == step_ && answered_)) {
        if (step == step_) current_ = std::move(cancel);
        return;
      }
    }
    if (cancel) cancel();
  }

  // ---- answers ---------------------------------------------------------------------------------------------------------------------

  void heard(int step, std::string_view piece) {
    std::vector<Outgoing> replies;
    engine::Cancel current;
    {
      const std::lock_guard lock(mutex_);
      if (step != step_ || conversation_.ended()) return;
      if (form_ == Form::unknown) {
        const auto first = piece.find_first_not_of(" \t\r\n");
        if (first == std::string_view::npos) return;
        form_ = piece[first] == '{' || piece[first] == '[' ? Form::json : Form::events;
      }
      if (form_ == Form::json) {
        body_.append(piece);
      } else {
        events_.feed(piece, [&](std::string_view, std::string_view data) { take(data, replies); });
        if (answered_ && !opens_session()) current = current_;  // a server may keep its stream open
      }
    }
    for (const auto& reply : replies) aside("POST", reply);
    if (current) current();
  }

  /// A session's id stands in the answer's header, which comes at its end.
  [[nodiscard]] bool opens_session() const {
    return session_.empty() && conversation_.era() == mcp::Era::sessions && !conversation_.ended();
  }

  /// With the mutex.
  void take(std::string_view data, std::vector<Outgoing>& replies) {
    if (data.empty()) return;
    auto next = conversation_.take(data);
    if (next.size() == 1 && !next[0].expects_answer) return replies.push_back(std::move(next[0]));  // it asked something
    answered_ = answered_ || !next.empty() || conversation_.ended();
    queue_in(std::move(next));
  }

  void received(int step, Result<net::OutboundResponse> answer) {
    if (answer.has_value() && answer->status >= 200 && answer->status < 300 && !answer->body.empty()) heard(step, answer->body);
    std::vector<Outgoing> replies;
    std::optional<engine::Outcome> failure;
    {
      const std::lock_guard lock(mutex_);
      current_ = {};
      if (answer.has_error()) {
        if (!answered_) failure = unanswered(*shown_, answer.error(), secrets_);
      } else if (answer->status < 200 || answer->status >= 300) {
        std::vector<Outgoing> next;
        const bool is_meant = expects_answer_ && conversation_.refused(answer->status, answer->body, next);
        is_meant ? queue_in(std::move(next)) : static_cast<void>(failure = to_outcome(*shown_, *answer, secrets_));
      } else {
        if (form_ == Form::json) take(body_, replies);
        events_.finish([&](std::string_view, std::string_view data) { take(data, replies); });
        const auto session = net::find_header(answer->headers, "Mcp-Session-Id");
        if (session && session_.empty() && conversation_.era() == mcp::Era::sessions && is_session(*session)) session_ = *session;
      }
    }
    for (const auto& reply : replies) aside("POST", reply);
    failure ? finish(std::move(failure)) : pump();
  }

  static engine::Outcome protocol_failure(std::string_view detail) {
    return engine::Outcome::failure(engine::make_error("communication", 502, "mcp.protocol", detail));
  }

  void finish(std::optional<engine::Outcome> failure) {
    bool has_session = false;
    Outgoing end;
    Talked talked{Error(ErrorClass::unavailable, "net.cancelled", "the call was cancelled")};
    {
      const std::lock_guard lock(mutex_);
      if (finished_) return;
      finished_ = true;
      has_session = !session_.empty();
      if (conversation_.ended() && !failure) talked.result = conversation_.result();
      talked.failure = std::move(failure);
      talked.definition = conversation_.definition();
      talked.era = conversation_.era();
      talked.notes = conversation_.notes();
    }
    if (has_session) aside("DELETE", end);
    done_(std::move(talked));
  }

  enum class Form : std::uint8_t { unknown, json, events };

  const std::shared_ptr<HttpExchanger> http_;
  const HttpCall place_;
  const std::size_t limit_;
  const json::Value secrets_;
  const bool at_most_once_;
  const SteadyTime deadline_;
  const TalkDone done_;
  std::shared_ptr<const HttpCall> shown_;  // of the step under way

  std::mutex mutex_;  // guards what follows
  mcp::Conversation conversation_;
  std::deque<Outgoing> queue_;
  std::string session_;
  net::EventStream events_;
  std::string body_;
  Form form_ = Form::unknown;
  bool expects_answer_ = false;
  bool answered_ = false;
  engine::Cancel current_;
  int step_ = 0;
  bool cancelled_ = false;
  bool finished_ = false;
};

}  // namespace

engine::Cancel talk_over_http(const std::shared_ptr<HttpExchanger>& http, HttpCall place, Talk talk, TalkDone done) {
  const auto talking = std::make_shared<HttpTalk>(http, std::move(place), std::move(talk), std::move(done));
  talking->begin();
  return [weak = std::weak_ptr(talking)] {
    if (const auto alive = weak.lock()) alive->cancel();
  };
}

}  // namespace pawl::functions
