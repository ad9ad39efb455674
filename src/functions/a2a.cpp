// `a2a`: asks another agent by the Agent2Agent protocol (DSL, "A2A call"), JSON-RPC binding, versions 1.0 and 0.3.
//
// - The agent's card says where it is and which version it speaks; with `server` alone that is asked in the words of 0.3, those of
//   the DSL. Credentials of the card's place go to the agent only where both have one origin.
// - Sending and cancelling is of class `once`. A message without an id gets the step's key as one, so that an agent knows it again.
// - A stream is read to its end; the output is the list of what it brought.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "engine/machine/machine.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/http_exchanger.hpp"
#include "functions/detail/mcp_functions.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "net/event_stream.hpp"

namespace pawl::functions {
namespace {

constexpr Millis kTimeout{600'000};
constexpr std::size_t kMaxCard = 1U << 20U;
constexpr std::size_t kMaxEvents = 10'000;
constexpr json::ParseLimits kLimits{.max_depth = 128};

struct Method {
  std::string_view name;  ///< of the DSL and of 0.3
  std::string_view newer;
  bool only_reads = false;
  bool streams = false;
};
constexpr std::array<Method, 11> kMethods{{{"message/send", "SendMessage"},
                                           {"message/stream", "SendStreamingMessage", false, true},
                                           {"tasks/get", "GetTask", true},
                                           {"tasks/list", "ListTasks", true},
                                           {"tasks/cancel", "CancelTask"},
                                           {"tasks/resubscribe", "SubscribeToTask", true, true},
                                           {"tasks/pushNotificationConfig/set", "CreateTaskPushNotificationConfig"},
                                           {"tasks/pushNotificationConfig/get", "GetTaskPushNotificationConfig", true},
                                           {"tasks/pushNotificationConfig/list", "ListTaskPushNotificationConfigs", true},
                                           {"tasks/pushNotificationConfig/delete", "DeleteTaskPushNotificationConfig"},
                                           {"agent/getAuthenticatedExtendedCard", "GetExtendedAgentCard", true}}};

const Method& method_of(const json::Value& arguments) {
  const auto name = text_or(arguments, "method", "message/send");
  const auto* found = std::find_if(kMethods.begin(), kMethods.end(), [&](const Method& each) { return each.name == name; });
  return found == kMethods.end() ? kMethods.front() : *found;
}

/// `https://a.example:8/x` -> `https://a.example:8`.
std::string_view origin_of(std::string_view url) {
  const auto scheme = url.find("://");
  return scheme == std::string_view::npos ? std::string_view() : url.substr(0, url.find_first_of("/?#", scheme + 3));
}

/// Where the agent is, and how it wants to be spoken to.
struct Interface {
  std::string url;
  bool is_newer = false;
};

Result<Interface> read_card(const json::Value& card) {
  const auto& interfaces = card.get("supportedInterfaces");
  if (interfaces.is_array()) {
    for (const auto& each : interfaces.items()) {
      if (each.get("protocolBinding") != json::Value("JSONRPC")) continue;
      const auto version = text_or(each, "protocolVersion", "");
      if (version.starts_with("1.") || version.starts_with("0.3")) return Interface{text_or(each, "url", ""), version.starts_with("1.")};
    }
  }
  const bool is_older = card.get("preferredTransport").is_null() || card.get("preferredTransport") == json::Value("JSONRPC");
  if (is_older && card.get("url").is_string()) return Interface{text_or(card, "url", ""), false};
  return Error(ErrorClass::unsupported, "a2a.card", "the agent's card names no interface for JSON-RPC in version 1.0 or 0.3");
}

class A2aCall : public std::enable_shared_from_this<A2aCall> {
 public:
  A2aCall(const Parts& parts, engine::Invocation call, engine::Done done) : parts_(parts), call_(std::move(call)), done_(std::move(done)) {}

  void begin() {
    const auto& arguments = call_.arguments;
    if (const auto* server = arguments.find("server"); server != nullptr) {
      auto endpoint = read_endpoint(*server, call_.input);
      if (endpoint.has_error()) return done_(failed(endpoint.error()));
      server_ = endpoint->uri;
      authentication_ = endpoint->authentication;
      if (arguments.find("agentCard") == nullptr) return ask({server_, false});
    }
    const auto& card = arguments.get("agentCard");
    auto place = read_endpoint(card.find("endpoint") != nullptr ? card.get("endpoint") : card, call_.input);
    if (place.has_error()) return done_(failed(place.error()));
    HttpCall request;
    request.request.url = place->uri;
    request.request.headers.emplace_back("Accept", "application/json");
    request.request.max_response_bytes = kMaxCard;
    request.authentication = place->authentication;
    card_ = std::move(*place);
    const auto shown = std::make_shared<const HttpCall>(request);
    const int step = next_step();
    under_way(step, parts_.http->send(std::move(request), call_.secrets,
                                      [self = shared_from_this(), shown](Result<net::OutboundResponse> answer) {
                                        self->card_came(*shown, std::move(answer));
                                      }));
  }

  void cancel() {
    engine::Cancel current;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      current = current_;
    }
    if (current) current();
  }

 private:
  // A step that has begun makes the one before it past, whichever thread comes first.
  int next_step() {
    const std::lock_guard lock(mutex_);
    current_ = {};
    return ++step_;
  }
  void under_way(int step, engine::Cancel cancel) {
    {
      const std::lock_guard lock(mutex_);
      if (!cancelled_) {
        if (step == step_) current_ = std::move(cancel);
        return;
      }
    }
    if (cancel) cancel();
  }

  void card_came(const HttpCall& shown, Result<net::OutboundResponse> answer) {
    static_cast<void>(next_step());
    if (answer.has_error()) return done_(unanswered(shown, answer.error(), call_.secrets));
    if (answer->status != 200) return done_(to_outcome(shown, *answer, call_.secrets));
    const auto card = json::parse(answer->body, kLimits);
    if (card.has_error()) return fail("communication", 502, "the agent's card cannot be read: " + card.error().message);
    auto found = read_card(*card);
    if (found.has_error()) return done_(failed(found.error()));
    if (!server_.empty()) found->url = server_;
    if (server_.empty() && origin_of(found->url) == origin_of(card_.uri)) authentication_ = card_.authentication;
    ask(*found);
  }

  void ask(const Interface& place) {
    const auto& method = method_of(call_.arguments);
    auto parameters = call_.arguments.get("parameters").is_object() ? call_.arguments.get("parameters") : json::Value::object();
    if (auto message = parameters.get("message");
        message.is_object() && message.get("messageId").is_null() && !call_.idempotency_key.empty()) {
      message.set("messageId", call_.idempotency_key);
      parameters.set("message", std::move(message));
    }
    HttpCall request;
    request.request.method = "POST";
    request.request.url = place.url;
    request.request.headers = {{"Content-Type", "application/json"}, {"Accept", method.streams ? "text/event-stream" : "application/json"}};
    if (place.is_newer) request.request.headers.emplace_back("A2A-Version", "1.0");
    request.request.body = json::to_text(json::Value::object(
        {{"jsonrpc", "2.0"}, {"id", 1}, {"method", place.is_newer ? method.newer : method.name}, {"params", std::move(parameters)}}));
    request.request.timeout = kTimeout;
    request.request.follow_redirects = false;
    request.request.max_response_bytes = parts_.options.max_response;
    request.authentication = authentication_;
    if (!method.only_reads) carry_effect(request.request, call_);
    const auto shown = std::make_shared<const HttpCall>(shown_part(request));
    const int step = next_step();
    under_way(step, parts_.http->send(std::move(request), call_.secrets,
                                      [self = shared_from_this(), shown](Result<net::OutboundResponse> answer) {
                                        self->answered(*shown, std::move(answer));
                                      }));
  }

  void answered(const HttpCall& shown, Result<net::OutboundResponse> answer) {
    static_cast<void>(next_step());
    if (answer.has_error()) return done_(unanswered(shown, answer.error(), call_.secrets));
    const auto kind = net::find_header(answer->headers, "Content-Type");
    if (kind && kind->starts_with("text/event-stream") && answer->status == 200) return stream_ended(*answer);
    const auto reply = json::parse(answer->body, kLimits);
    if (reply.has_value() && reply->get("error").is_object()) return refused(reply->get("error"));
    if (answer->status != 200) return done_(to_outcome(shown, *answer, call_.secrets));
    if (reply.has_error()) return fail("communication", 502, "the agent's answer cannot be read: " + reply.error().message);
    const auto* result = reply->find("result");
    if (result == nullptr || reply->get("id") != json::Value(1))
      return fail("communication", 502, "the agent's answer is not one to this request");
    done_(engine::Outcome::success(method_of(call_.arguments).streams ? json::Value::array({*result}) : *result));
  }

  void stream_ended(const net::OutboundResponse& answer) {
    net::EventStream events;
    auto all = json::Value::array();
    json::Value error;
    bool is_broken = false;
    const auto take = [&](std::string_view, std::string_view data) {
      const auto reply = json::parse(data, kLimits);
      is_broken = is_broken || reply.has_error() || all.size() >= kMaxEvents;
      if (is_broken) return;
      if (reply->get("error").is_object()) error = reply->get("error");
      if (const auto* result = reply->find("result"); result != nullptr) all.push_back(*result);
    };
    events.feed(answer.body, take);
    events.finish(take);
    if (error.is_object()) return refused(error);
    if (is_broken || events.overflown()) return fail("communication", 502, "the agent's stream is not one of the protocol");
    done_(engine::Outcome::success(std::move(all)));
  }

  void refused(const json::Value& error) {
    const auto code = error.get("code").is_integer() ? std::to_string(error.get("code").as_integer()) : std::string("an error");
    fail("runtime", 500, fmt::format("The agent answered {}: {}", code, text_or(error, "message", "no message").substr(0, 2000)));
  }

  void fail(std::string_view kind, int status, std::string detail) {
    done_(engine::Outcome::failure(engine::make_error(kind, status, "A2A call failed", redact(std::move(detail), call_.secrets))));
  }

  const Parts parts_;
  const engine::Invocation call_;
  const engine::Done done_;
  std::string server_;
  json::Value authentication_;
  Endpoint card_;
  std::mutex mutex_;
  engine::Cancel current_;
  int step_ = 0;
  bool cancelled_ = false;
};

class A2a final : public Builtin {
 public:
  explicit A2a(const Parts& parts)
      : Builtin({.name = "a2a",
                 .summary = "Asks another agent by the Agent2Agent protocol",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "agentCard": {"type": ["object", "string"], "description": "{endpoint}: where the agent's card is, which says the rest"},
                     "server": {"type": ["string", "object"], "description": "where the agent is: URI, or {uri, authentication}"},
                     "method": {"type": "string", "enum": ["message/send", "message/stream", "tasks/get", "tasks/list", "tasks/cancel", "tasks/resubscribe",
                       "tasks/pushNotificationConfig/set", "tasks/pushNotificationConfig/get", "tasks/pushNotificationConfig/list",
                       "tasks/pushNotificationConfig/delete", "agent/getAuthenticatedExtendedCard"]},
                     "parameters": {"type": "object", "description": "of the method, in the words of the version that the agent speaks"}
                   },
                   "required": ["method"],
                   "anyOf": [{"required": ["agentCard"]}, {"required": ["server"]}],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({"description": "the method's result; of a stream the list of its events"})"),
                 .examples = literal(R"([
                   {"method": "message/send", "agentCard": {"endpoint": "https://agents.example.com/.well-known/agent-card.json"},
                    "parameters": {"message": {"role": "ROLE_USER", "parts": [{"text": "What is new?"}]}}}
                 ])"),
                 .reach = {{engine::Access::Kind::host, "/agentCard/endpoint", ""},
                           {engine::Access::Kind::host, "/agentCard/endpoint/uri", ""},
                           {engine::Access::Kind::host, "/server", ""},
                           {engine::Access::Kind::host, "/server/uri", ""}}}),
        parts_(parts) {}

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    return method_of(arguments).only_reads ? engine::EffectClass::read : engine::EffectClass::once;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    const auto& card = call.arguments.get("agentCard");
    const auto& given = call.arguments.find("server") != nullptr ? call.arguments.get("server")
                        : card.find("endpoint") != nullptr       ? card.get("endpoint")
                                                                 : card;
    PAWL_TRY(endpoint, read_endpoint(given, call.input));
    return json::Value::array({json::Value::object(
        {{"action", "ask_agent"}, {"method", call.arguments.get("method")}, {"agent", without_userinfo(endpoint.uri)}})});
  }
  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto asking = std::make_shared<A2aCall>(parts_, std::move(call), std::move(done));
    asking->begin();
    return [asking] { asking->cancel(); };
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_a2a(const Parts& parts) { return std::make_unique<A2a>(parts); }

}  // namespace pawl::functions
