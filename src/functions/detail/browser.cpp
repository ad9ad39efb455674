// Speaks the Chrome DevTools Protocol: JSON messages, each followed by a NUL (https://chromedevtools.github.io/devtools-protocol/, domains
// Target, Page, Fetch, Runtime).

#include "functions/detail/browser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtin.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/process_call.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "net/uri.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kMaxMessage = 48U << 20U;  // a picture as base64 text, a page as JSON
constexpr std::size_t kMaxHeard = 192U << 20U;
constexpr std::size_t kMaxPage = 8U << 20U;
constexpr std::size_t kMaxLoaded = 64U << 20U;  // of all answers
constexpr int kMaxRequests = 500;
constexpr std::size_t kMaxAtOnce = 8;  // requests under way, and answers that it does not have yet
constexpr int kMaxRefusedHosts = 50;
constexpr int kMaxLooks = 20;  // after the page went elsewhere while it was looked at
constexpr Millis kPartTimeout{15'000};
constexpr std::uint32_t kMaxProcesses = 512;
constexpr std::uint32_t kMaxBrowsers = 4;  // at once: a page may take more than a gigabyte

// The browser reads its orders from descriptor 3 and answers on 4.
constexpr const char* kStart = R"(exec 3<&0 4>&1 </dev/null >/dev/null
test -x "$1" || exit 127
exec "$@")";
constexpr const char* kBrowser = "/usr/lib/chromium/chromium";  // what Debian's /usr/bin/chromium starts
constexpr int kMissing = 127;

// Its own sandbox needs namespaces within ours, which nobody may make there. All of it is one page's.
constexpr std::array kFlags = {"--headless",
                               "--remote-debugging-pipe",
                               "--no-sandbox",
                               "--no-zygote",
                               "--in-process-gpu",
                               "--disable-gpu",
                               "--user-data-dir=/tmp/profile",
                               "--no-first-run",
                               "--no-default-browser-check",
                               "--disable-extensions",
                               "--disable-background-networking",
                               "--disable-component-update",
                               "--disable-sync",
                               "--disable-breakpad",
                               "--disable-crash-reporter",
                               "--mute-audio",
                               "--hide-scrollbars",
                               "--window-size=1280,800",
                               "--disable-features=IsolateOrigins,site-per-process,Translate,OptimizationHints,MediaRouter",
                               "--disable-site-isolation-trials",
                               "--renderer-process-limit=1",
                               "about:blank"};

// The orders that are answered one after the other, by the number that they carry; all others have higher ones.
enum class Order : std::uint8_t { make_page = 1, attach, watch, intercept, go, make_world, wait, read, take_picture, others };

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return result;
}

/// Scheme, host and port, as it is written.
std::string_view origin_of(std::string_view url) {
  const std::size_t host = url.find("://");
  return host == std::string_view::npos ? url : url.substr(0, url.find_first_of("/?#", host + 3));
}

engine::Outcome failure(std::string_view type, int status, std::string_view title, std::string_view detail) {
  return engine::Outcome::failure(engine::make_error(type, status, title, detail));
}

/// One page. All but `begin` and `received` on the runner's thread.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<HttpExchanger> http, Visit what, VisitDone done)
      : http_(std::move(http)), what_(std::move(what)), done_(std::move(done)) {}

  [[nodiscard]] engine::Cancel begin(const std::shared_ptr<ProcessRunner>& processes) {
    ProcessSpec spec;
    spec.command = [](const std::string&) {
      std::vector<std::string> command{"/bin/sh", "-c", kStart, "browser", kBrowser};
      command.insert(command.end(), kFlags.begin(), kFlags.end());
      return command;
    };
    spec.timeout = what_.page.request.timeout;
    spec.see_roots = false;
    spec.own_network = true;
    spec.max_output = kMaxHeard;
    spec.max_subprocesses = kMaxProcesses;
    spec.most_at_once = kMaxBrowsers;
    spec.input = order(Order::make_page, "Target.createTarget", json::Value::object({{"url", "about:blank"}}));
    spec.converse = [self = shared_from_this()](std::string_view piece) { return self->heard(piece); };
    processes_ = processes;
    const auto id = processes->start(std::move(spec), [self = shared_from_this()](const ProcessResult& result) { self->exited(result); });
    {
      const std::lock_guard lock(mutex_);
      id_ = id;
      if (is_done_with_) processes->cancel(id);
      if (!arrived_.empty()) processes->nudge(id);
    }
    return [weak = std::weak_ptr(processes), id] {
      if (const auto alive = weak.lock()) alive->cancel(id);
    };
  }

 private:
  struct Asked {
    HttpCall shown;
    bool is_page = false;  // the document itself, not what it loads
    engine::Cancel cancel;
  };
  struct Waiting {
    std::string request;
    Asked ask;
    HttpCall call;
  };
  struct Arrived {
    std::string request;
    Result<net::OutboundResponse> answer;
  };

  // ---- orders --------------------------------------------------------------------------------------------------------------------

  std::string order(Order number, std::string_view method, json::Value parameters) {
    const int id = number == Order::others ? next_++ : static_cast<int>(number);
    json::Value message = json::Value::object({{"id", id}, {"method", method}, {"params", std::move(parameters)}});
    if (!session_.empty()) message.set("sessionId", session_);
    return json::to_text(message) + '\0';
  }
  void tell(Order number, std::string_view method, json::Value parameters) { say_ += order(number, method, std::move(parameters)); }

  Said heard(std::string_view piece) {
    if (piece.empty()) take_arrived();
    while (!piece.empty() && !is_over()) {
      const std::size_t end = piece.find('\0');
      message_.append(piece.substr(0, end));
      if (message_.size() > kMaxMessage) {
        finish(failure("runtime", 500, "Too much output", "the browser said more than is allowed"));
        break;
      }
      if (end == std::string_view::npos) break;
      piece.remove_prefix(end + 1);
      const std::string message = std::exchange(message_, {});
      if (const auto read = json::parse(message); read.has_value()) take(*read);
    }
    return {.input = std::exchange(say_, {})};
  }

  void take(const json::Value& message) {
    if (const auto& id = message.get("id"); id.is_integer()) {
      if (id.as_integer() < static_cast<int>(Order::others)) answered(static_cast<Order>(id.as_integer()), message);
      return;
    }
    const std::string method = text_or(message, "method", "");
    const auto& parameters = message.get("params");
    if (method == "Fetch.requestPaused") return asked(parameters);
    if (method == "Page.loadEventFired") {
      is_loaded_ = is_loaded_ || status_ != 0;  // that of the empty page counts for nothing
      return look();
    }
    if (method == "Page.javascriptDialogOpening") {
      tell(Order::others, "Page.handleJavaScriptDialog", json::Value::object({{"accept", false}}));
    }
  }

  void answered(Order number, const json::Value& message) {
    const auto& result = message.get("result");
    const bool is_wrong = message.find("error") != nullptr;
    if (is_wrong && is_one_of_looks(number)) return look_again();
    if (is_wrong) return finish(broken(text_or(message.get("error"), "message", "it refuses an order")));
    switch (number) {
      case Order::make_page:
        page_ = text_or(result, "targetId", "");
        return tell(Order::attach, "Target.attachToTarget", json::Value::object({{"targetId", page_}, {"flatten", true}}));
      case Order::attach: session_ = text_or(result, "sessionId", ""); return tell(Order::watch, "Page.enable", json::Value::object());
      // Its answer is waited for: a page that is there before it would never be told of.
      case Order::watch:
        return tell(Order::intercept, "Fetch.enable",
                    json::Value::object({{"patterns", json::Value::array({json::Value::object({{"urlPattern", "*"}})})}}));
      case Order::intercept: return tell(Order::go, "Page.navigate", json::Value::object({{"url", what_.page.request.url}}));
      case Order::go:
        if (const std::string error = text_or(result, "errorText", ""); !error.empty()) return finish(unreachable(error));
        has_gone_ = true;
        return look();
      case Order::make_world: return use_world(result.get("executionContextId"));
      case Order::wait:
        if (result.find("exceptionDetails") != nullptr) return finish(invalid_arguments("`wait_for` is no CSS selector"));
        is_there_ = true;
        return use_world(world_);
      case Order::read: return has_read(result.get("result").get("value"));
      case Order::take_picture: return has_picture(text_or(result, "data", ""));
      case Order::others: return;
    }
  }

  // ---- the page ------------------------------------------------------------------------------------------------------------------

  static bool is_one_of_looks(Order number) { return number == Order::make_world || number == Order::wait || number == Order::read; }

  void look() {
    if (is_looking_ || !has_gone_ || !is_loaded_) return;
    is_looking_ = true;
    // A world of our own: what the page has made of `document` and its like does not count there.
    tell(Order::make_world, "Page.createIsolatedWorld", json::Value::object({{"frameId", page_}}));
  }

  // The page has gone elsewhere meanwhile.
  void look_again() {
    if (++looks_ > kMaxLooks) return finish(broken("the page never stays where it is"));
    is_looking_ = false;
    look();
  }

  void use_world(const json::Value& world) {
    world_ = world;
    const auto evaluate = [&](Order number, std::string expression) {
      tell(number, "Runtime.evaluate",
           json::Value::object(
               {{"expression", std::move(expression)}, {"contextId", world_}, {"awaitPromise", true}, {"returnByValue", true}}));
    };
    if (!what_.wait_for.empty() && !is_there_) {
      std::string selector;
      json::append_quoted(selector, what_.wait_for);
      return evaluate(Order::wait, fmt::format(R"(new Promise((resolve, reject) => {{
        const look = () => {{
          try {{ document.querySelector({}) ? resolve(true) : setTimeout(look, 50); }} catch (error) {{ reject(error); }}
        }};
        look();
      }}))",
                                               selector));
    }
    evaluate(Order::read, fmt::format(R"((() => {{
      const html = document.documentElement?.outerHTML ?? '';
      return {{ url: location.href, html: html.length > {} ? null : html }};
    }})())",
                                      most()));
  }

  /// What a page may grow to is what an answer may be.
  [[nodiscard]] std::size_t most() const { return std::min(kMaxPage, what_.page.request.max_response_bytes); }

  void has_read(const json::Value& value) {
    if (!value.get("html").is_string()) {
      const Error error(ErrorClass::too_large, "net.too_large", fmt::format("the page has become larger than {} bytes", most()));
      return finish(unanswered(what_.page, error, what_.secrets));
    }
    seen_.status = status_;
    seen_.url = text_or(value, "url", "");
    // The page has sent itself to where it may not go: what is there now is the browser's own message.
    if (net::host_of(seen_.url).empty()) return finish(unreachable("the page left for where nothing may be loaded from"));
    seen_.html = text_or(value, "html", "");
    if (!what_.picture) return finish(seen_);
    tell(Order::take_picture, "Page.captureScreenshot", json::Value::object({{"format", "png"}}));
  }

  void has_picture(const std::string& data) {
    auto picture = from_base64(data);
    if (!picture || !picture->starts_with("\x89PNG")) return finish(broken("it has made no picture"));
    seen_.picture = std::move(*picture);
    finish(seen_);
  }

  // ---- its requests --------------------------------------------------------------------------------------------------------------

  void asked(const json::Value& parameters) {
    const std::string id = text_or(parameters, "requestId", "");
    const auto& request = parameters.get("request");
    Asked ask;
    ask.shown.request.url = text_or(request, "url", "");
    ask.shown.request.method = text_or(request, "method", "");
    const bool is_of_page = text_or(parameters, "frameId", "") == page_;
    ask.is_page = is_of_page && text_or(parameters, "resourceType", "") == "Document";
    const bool is_sent_on = ask.is_page && !sent_on_.empty() && text_or(parameters, "redirectedRequestId", "") == sent_on_;
    if (!may_ask(ask, is_sent_on)) return refuse(id);
    ++requests_;
    if (ask.is_page && hosts_.empty()) own_origin_ = origin_of(ask.shown.request.url);
    if (ask.is_page && hosts_.size() < kMaxRequests) hosts_.push_back(net::host_of(ask.shown.request.url));

    HttpCall call;
    call.request.url = ask.shown.request.url;
    call.request.method = ask.shown.request.method;
    call.request.timeout = ask.is_page ? what_.page.request.timeout : std::min(what_.page.request.timeout, kPartTimeout);
    call.request.max_response_bytes = what_.page.request.max_response_bytes;
    call.request.follow_redirects = false;  // the browser does, and asks again
    for (const auto& field : request.get("headers").members()) {
      const std::string name = lower(field.name());
      if (field.value.is_string() && is_one_of(name, {"accept", "accept-language", "authorization", "cookie", "origin", "referer",
                                                      "user-agent", "x-requested-with"})) {
        call.request.headers.emplace_back(name, field.value.as_string());
      }
    }
    const bool is_own = ask.is_page || origin_ == own_origin_;  // and not what a page asks that it has gone to
    if (is_of_page && is_own && origin_of(call.request.url) == own_origin_) {
      for (const auto& [name, value] : what_.page.request.headers) {
        std::erase_if(call.request.headers, [&, own = lower(name)](const auto& field) { return field.first == own; });
        call.request.headers.emplace_back(name, value);
      }
      call.authentication = what_.page.authentication;
    }
    const auto place = ask.is_page ? waiting_.begin() : waiting_.end();
    waiting_.insert(place, Waiting{id, std::move(ask), std::move(call)});
    send_waiting();
  }

  // A few at once, whatever the page would like: their answers are held here.
  void send_waiting() {
    while (!waiting_.empty() && asked_.size() < kMaxAtOnce) {
      Waiting next = std::move(waiting_.front());
      waiting_.pop_front();
      if (loaded_ >= kMaxLoaded || asked_.contains(next.request)) {
        refuse(next.request);
        continue;
      }
      Asked& ask = asked_[next.request] = std::move(next.ask);
      auto received = [self = shared_from_this(), id = next.request](Result<net::OutboundResponse> answer) {
        self->received(id, std::move(answer));
      };
      ask.cancel = http_->send(std::move(next.call), what_.secrets, std::move(received));
    }
  }

  [[nodiscard]] bool may_ask(const Asked& ask, bool is_sent_on) {
    const std::string& url = ask.shown.request.url;
    const std::string host = net::host_of(url);
    if (host.empty() || requests_ >= kMaxRequests || loaded_ >= kMaxLoaded) return false;
    if (!is_one_of(ask.shown.request.method, {"GET", "HEAD"})) return false;  // the function reads
    const bool is_first = ask.is_page && hosts_.empty();
    if (is_first || is_sent_on || is_named_host(host, hosts_) || is_named_host(host, what_.hosts)) return true;
    auto& refused = seen_.refused_hosts;
    if (refused.size() < kMaxRefusedHosts && std::find(refused.begin(), refused.end(), host) == refused.end()) refused.push_back(host);
    return false;
  }

  void refuse(const std::string& id) {
    tell(Order::others, "Fetch.failRequest", json::Value::object({{"requestId", id}, {"errorReason", "BlockedByClient"}}));
  }

  // On the client's thread, or within `asked`.
  void received(const std::string& request, Result<net::OutboundResponse> answer) {
    const std::lock_guard lock(mutex_);
    arrived_.push_back({request, std::move(answer)});
    const auto processes = processes_.lock();
    if (processes && id_ != 0) processes->nudge(id_);
  }

  void take_arrived() {
    std::vector<Arrived> all;
    {
      const std::lock_guard lock(mutex_);
      all.swap(arrived_);
    }
    for (Arrived& one : all) {
      const auto found = asked_.find(one.request);
      if (found == asked_.end() || is_over()) continue;
      const Asked ask = std::move(found->second);
      asked_.erase(found);
      pass_on(one.request, ask, one.answer);
    }
    if (!is_over()) send_waiting();
  }

  void pass_on(const std::string& id, const Asked& ask, const Result<net::OutboundResponse>& answer) {
    if (answer.has_error()) {
      if (ask.is_page && !page_problem_) page_problem_ = unanswered(ask.shown, answer.error(), what_.secrets);
      return tell(Order::others, "Fetch.failRequest", json::Value::object({{"requestId", id}, {"errorReason", "Failed"}}));
    }
    loaded_ += answer->body.size();
    const bool is_redirect = answer->status >= 300 && answer->status < 400;
    if (ask.is_page) {
      sent_on_ = is_redirect ? id : "";
      if (answer->status >= 400 && status_ == 0) return finish(to_outcome(ask.shown, *answer, what_.secrets));
      if (!is_redirect) {
        status_ = answer->status;
        origin_ = origin_of(ask.shown.request.url);
      }
    }
    json::Value fields = json::Value::array();
    for (const auto& [name, value] : answer->headers) {
      // The body comes as it is, in one piece.
      if (is_one_of(lower(name), {"content-encoding", "content-length", "transfer-encoding", "connection"})) continue;
      fields.push_back(json::Value::object({{"name", to_utf8(name)}, {"value", to_utf8(value)}}));
    }
    tell(Order::others, "Fetch.fulfillRequest",
         json::Value::object({{"requestId", id},
                              {"responseCode", answer->status},
                              {"responseHeaders", std::move(fields)},
                              {"body", to_base64(answer->body)}}));
  }

  // ---- its end -------------------------------------------------------------------------------------------------------------------

  [[nodiscard]] bool is_over() const { return end_.has_value(); }

  static engine::Outcome broken(std::string_view detail) {
    return failure("runtime", 500, "The browser failed", fmt::format("chromium: {}", to_utf8(std::string(detail.substr(0, 300)))));
  }

  engine::Outcome unreachable(const std::string& error) {
    if (page_problem_) return *page_problem_;
    const auto& refused = seen_.refused_hosts;
    const std::string hosts =
        refused.empty() ? "" : fmt::format(" (refused, because `hosts` does not name them: {})", fmt::join(refused, ", "));
    return failure(
        "communication", 502, "No page",
        redact(fmt::format("{}: {}{}", without_userinfo(what_.page.request.url), to_utf8(error.substr(0, 100)), hosts), what_.secrets));
  }

  // Answered when nothing of the browser is left.
  void finish(std::variant<Seen, engine::Outcome> end) {
    if (is_over()) return;
    end_ = std::move(end);
    const std::lock_guard lock(mutex_);
    is_done_with_ = true;
    const auto processes = processes_.lock();
    if (processes && id_ != 0) processes->cancel(id_);
  }

  void exited(const ProcessResult& result) {
    for (auto& [id, ask] : asked_) {
      if (ask.cancel) ask.cancel();
    }
    asked_.clear();
    if (!end_) end_ = why(result);
    done_(std::move(*end_));
  }

  [[nodiscard]] engine::Outcome why(const ProcessResult& result) const {
    using Ending = ProcessResult::Ending;
    if (result.ending == Ending::exited && result.code == kMissing) {
      return failure("configuration", 501, "Program missing", "`chromium` is not installed on the server (Debian package chromium)");
    }
    if (result.ending == Ending::timed_out && !what_.wait_for.empty() && !is_there_) {
      return failure("timeout", 408, "Page timed out",
                     fmt::format("nothing on the page has matched `wait_for` ({}) in time", what_.wait_for));
    }
    if (result.ending == Ending::exited || result.ending == Ending::signalled) {
      const std::size_t line = result.error_output.rfind('\n', result.error_output.size() < 2 ? 0 : result.error_output.size() - 2);
      return broken(fmt::format("it ended by itself ({}): {}", result.code,
                                std::string_view(result.error_output).substr(line == std::string::npos ? 0 : line + 1)));
    }
    return to_outcome(result, "none", "the browser", what_.secrets);
  }

  std::weak_ptr<ProcessRunner> processes_;
  const std::shared_ptr<HttpExchanger> http_;
  const Visit what_;
  const VisitDone done_;

  std::mutex mutex_;
  ProcessRunner::Id id_ = 0;  // 0: not known yet
  bool is_done_with_ = false;
  std::vector<Arrived> arrived_;

  int next_ = static_cast<int>(Order::others);
  std::string say_;      // what it will be told
  std::string message_;  // the beginning of one
  std::string page_;     // target, and frame
  std::string session_;
  json::Value world_;
  bool has_gone_ = false;
  bool is_loaded_ = false;
  bool is_looking_ = false;
  bool is_there_ = false;  // what it is waited for
  int looks_ = 0;

  std::unordered_map<std::string, Asked> asked_;  // under way
  std::deque<Waiting> waiting_;
  std::vector<std::string> hosts_;  // of the page and of where it was sent
  std::string own_origin_;          // of the page that was asked for, as the browser writes it
  std::string origin_;              // of the page that is there
  std::string sent_on_;             // the request that was answered by a redirect, which the page follows
  int requests_ = 0;
  std::size_t loaded_ = 0;
  int status_ = 0;
  Seen seen_;
  std::optional<engine::Outcome> page_problem_;
  std::optional<std::variant<Seen, engine::Outcome>> end_;
};

}  // namespace

engine::Cancel visit(const std::shared_ptr<ProcessRunner>& processes, const std::shared_ptr<HttpExchanger>& http, Visit what,
                     VisitDone done) {
  return std::make_shared<Session>(http, std::move(what), std::move(done))->begin(processes);
}

bool is_named_host(std::string_view host, const std::vector<std::string>& hosts) {
  return std::any_of(hosts.begin(), hosts.end(), [host](std::string_view name) {
    if (name == "*") return true;
    return name.starts_with("*.") ? host.size() > name.size() - 1 && host.ends_with(name.substr(1)) : host == name;
  });
}

}  // namespace pawl::functions
