#include "api/detail/trail.hpp"

#include "http/problem.hpp"
#include "json/parse.hpp"

namespace pawl::api::detail {
namespace {

using identity::Principal;

bool is_unsafe(http::Method method) {
  return method == http::Method::post || method == http::Method::put || method == http::Method::patch || method == http::Method::delete_;
}

/// Answered as soon as it is done: what follows from it is recorded step by step.
bool waits_for_record(const Route& route) {
  return route.tag != "runs" && route.tag != "events" && route.tag != "mcp" && route.tag != "a2a" && route.rate != RateClass::hook;
}

/// One address takes all methods of the protocol, most of which change nothing: the handler records what does.
bool records_itself(const Route& route) { return route.tag == "mcp" || route.tag == "a2a"; }

/// A guessed address of a webhook: nothing of this installation was concerned.
bool is_unknown_hook(const Route& route, int status) { return route.rate == RateClass::hook && status == 404; }

/// Of the one route that names what it is about in its body: that id and nothing else.
std::string run_in_body(const http::Request& request) {
  constexpr std::size_t kMostBytes = 16U << 10U;
  if (request.body.size() > kMostBytes) return {};
  const auto body = json::parse(request.body);
  if (body.has_error() || !body->get("run_id").is_string()) return {};
  const auto run = RunId::parse(body->get("run_id").as_string());
  return run ? run->to_string() : std::string();
}

/// The last parameter of the path, unless it is a token.
std::string resource_id(const Route& route, const http::Request& request) {
  if (route.id == "proposeRemedy") return run_in_body(request);
  const auto names = path_parameters(route.path);
  if (names.empty() || names.back().find("token") != std::string_view::npos) return {};
  return std::string(request.param(names.back()));
}

audit::Outcome outcome_of(int status) {
  if (status == 401 || status == 403 || status == 429) return audit::Outcome::refused;
  return status < 400 ? audit::Outcome::success : audit::Outcome::failure;
}

}  // namespace

audit::Actor actor_of(const Principal& principal) {
  switch (principal.kind) {
    case Principal::Kind::anonymous: return audit::Actor::anonymous();
    case Principal::Kind::user: return audit::Actor::of_user(principal.user);
    case Principal::Kind::api_key: return audit::Actor::of_key(principal.user, principal.api_key);
    case Principal::Kind::administrator: return audit::Actor::administrator();
  }
  return audit::Actor::anonymous();
}

class TrailSink final : public http::ResponseSink {
 public:
  TrailSink(Trail& trail, const Route& route, const http::Request& request, std::shared_ptr<Witness> witness, http::Responder inner)
      : trail_(trail), route_(route), witness_(std::move(witness)), inner_(std::move(inner)) {
    record_.action = std::string(route.tag) + "." + std::string(route.id);
    record_.resource = {std::string(route.tag), resource_id(route, request)};
    record_.address = request.remote_address;
    record_.request_id = request.request_id;
  }

  void send(http::Response response) override {
    if (is_unknown_hook(route_, response.status)) return inner_.send(std::move(response));
    const auto outcome = complete(response.status);
    if (records_itself(route_) && outcome != audit::Outcome::refused) return inner_.send(std::move(response));
    const bool from_anybody = outcome == audit::Outcome::failure && witness_->principal.kind == Principal::Kind::anonymous;
    std::uint64_t left_out = 0;
    if ((outcome == audit::Outcome::refused || from_anybody) && !trail_.take_refusal(left_out)) return inner_.send(std::move(response));
    if (left_out > 0) record_.details.set("refusals_left_out", left_out);
    if (outcome != audit::Outcome::success || !waits_for_record(route_)) {
      static_cast<void>(trail_.log_->append(std::move(record_)));  // a refusal is none less for not being written
      return inner_.send(std::move(response));
    }
    auto waiting = std::make_shared<std::pair<http::Responder, http::Response>>(std::move(inner_), std::move(response));
    const auto queued = trail_.log_->append(std::move(record_), [waiting](const Result<void>& written) {
      if (!written.has_error()) return waiting->first.send(std::move(waiting->second));
      waiting->first.send(http::problem(written.error(), "", ""));
    });
    if (queued.has_error()) waiting->first.send(http::problem(queued.error(), "", ""));
  }
  std::shared_ptr<http::EventStream> stream(http::Headers headers) override {
    complete(200);
    if (!records_itself(route_)) static_cast<void>(trail_.log_->append(std::move(record_)));
    return inner_.stream(std::move(headers));
  }
  void upgrade(http::WebSocketUpgrade upgrade) override {
    complete(101);
    static_cast<void>(trail_.log_->append(std::move(record_)));
    inner_.upgrade(std::move(upgrade.options), std::move(upgrade.opened));
  }
  void on_leave(std::function<void()> callback) override { inner_.on_leave(std::move(callback)); }
  void abandon() override {
    complete(500);
    static_cast<void>(trail_.log_->append(std::move(record_)));
    const http::Responder dropped = std::move(inner_);
  }

 private:
  audit::Outcome complete(int status) {
    record_.outcome = outcome_of(status);
    record_.actor = actor_of(witness_->principal);
    // Whoever was erased leaves no address here either.
    if (route_.id == "eraseMyData" && record_.outcome == audit::Outcome::success) record_.address.clear();
    if (!witness_->organization.is_nil()) record_.organization = witness_->organization;
    record_.details = json::Value::object({{"status", status}});
    return record_.outcome;
  }

  Trail& trail_;
  const Route& route_;
  std::shared_ptr<Witness> witness_;
  http::Responder inner_;
  audit::Record record_;
};

bool Trail::concerns(const Route& route) {
  // Neither changes what others see or may do.
  const bool only_marks = route.id.starts_with("markNotification") || route.id == "markAllNotificationsRead";
  return is_unsafe(route.method) && route.id != "validateWorkflow" && !only_marks;
}

http::Responder Trail::follow(const Route& route, const http::Request& request, std::shared_ptr<Witness> witness,
                              http::Responder responder) {
  return http::Responder(std::make_shared<TrailSink>(*this, route, request, std::move(witness), std::move(responder)));
}

bool Trail::take_refusal(std::uint64_t& left_out) {
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(clock_.now().time_since_epoch()).count();
  const std::lock_guard lock(mutex_);
  if (second != second_) {
    second_ = second;
    in_second_ = 0;
  }
  if (in_second_ >= kRefusedPerSecond) {
    ++left_out_;
    return false;
  }
  ++in_second_;
  left_out = std::exchange(left_out_, 0);
  return true;
}

}  // namespace pawl::api::detail
