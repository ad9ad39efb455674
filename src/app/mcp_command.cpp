// pawl mcp: the Model Context Protocol on standard input and output, carried to a server's `/mcp` and back.
//
// One message a line in both directions; requests go side by side. A notification that cancels a request ends its exchange, which is how
// the protocol cancels over HTTP. The end of standard input ends the command; what is under way then has a few seconds.
#include <fmt/core.h>

#include <condition_variable>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "mcp/protocol.hpp"
#include "net/curl_outbound.hpp"

namespace pawl::app {
namespace {

constexpr std::chrono::hours kLongestCall{24};
constexpr std::chrono::seconds kLastAnswers{10};
constexpr std::size_t kLongestLine = 4U << 20U;
constexpr std::size_t kLargestAnswer = 64U << 20U;
constexpr std::string_view kVersionKey = "io.modelcontextprotocol/protocolVersion";

const json::Value& name_of(const json::Value& params) {
  for (const auto name : {"name", "uri", "taskId"}) {
    if (const auto* value = params.find(name); value != nullptr && value->is_string()) return *value;
  }
  return params.get("name");
}

class Bridge {
 public:
  Bridge(std::string url, std::string key) : url_(std::move(url)), key_(std::move(key)), outbound_(options()) {}

  /// Reads until standard input ends.
  void run() {
    std::string line;
    while (std::getline(std::cin, line)) {
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      if (line.size() > kLongestLine) {
        say_error({}, "The message is longer than 4 MiB.");
        continue;
      }
      carry(std::move(line));
    }
    std::unique_lock lock(mutex_);
    idle_.wait_for(lock, kLastAnswers, [this] { return open_.empty(); });
  }

 private:
  static net::CurlOptions options() {
    net::CurlOptions options;
    options.policy.allow_private = true;  // the address is the user's own choice
    options.max_timeout = kLongestCall;
    return options;
  }

  void carry(std::string line) {
    const auto parsed = json::parse(line);
    if (parsed.has_error()) return say_error({}, "The message is not valid JSON.");
    const auto& method = parsed->get("method");
    const auto& params = parsed->get("params");
    const auto id = parsed->get("id");
    if (method == json::Value("notifications/cancelled")) cancel(params.get("requestId"));
    net::OutboundRequest request;
    request.method = "POST";
    request.url = url_;
    request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json, text/event-stream"}};
    const auto& version = params.get("_meta").get(kVersionKey);
    const bool is_stateless = version.is_string() && method.is_string();
    if (is_stateless) {
      request.headers.emplace_back("MCP-Protocol-Version", version.as_string());
      request.headers.emplace_back("Mcp-Method", method.as_string());
      const auto& name = name_of(params);
      if (name.is_string()) request.headers.emplace_back("Mcp-Name", mcp::field_of(name.as_string()));
    }
    const std::lock_guard lock(mutex_);
    if (!is_stateless && !session_.empty()) request.headers.emplace_back("Mcp-Session-Id", session_);
    if (!key_.empty()) request.credentials = net::BearerToken{key_};
    request.body = std::move(line);
    request.timeout = kLongestCall;
    request.max_response_bytes = kLargestAnswer;
    request.follow_redirects = false;
    const auto arriving = std::make_shared<Arriving>();
    request.on_body = [this, arriving](std::string_view piece) { take(*arriving, piece); };
    const auto handle = outbound_.start(
        std::move(request), [this, id, arriving](const Result<net::OutboundResponse>& response) { answered(id, response, *arriving); });
    open_[key_of(id)] = handle;
  }

  void cancel(const json::Value& id) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(key_of(id));
    if (found != open_.end()) outbound_.cancel(found->second);
  }

  /// A stream's events go on as they arrive; one body is collected.
  struct Arriving {
    std::string text;  ///< of an event stream: the line that has not ended
  };
  void take(Arriving& arriving, std::string_view piece) {
    arriving.text += piece;
    if (arriving.text.starts_with('{')) return;
    constexpr std::string_view kData = "data: ";
    std::size_t begin = 0;
    for (auto end = arriving.text.find('\n'); end != std::string::npos; end = arriving.text.find('\n', begin)) {
      const auto line = std::string_view(arriving.text).substr(begin, end - begin);
      if (line.starts_with(kData)) say(line.substr(kData.size()));
      begin = end + 1;
    }
    arriving.text.erase(0, begin);
  }

  void answered(const json::Value& id, const Result<net::OutboundResponse>& response, const Arriving& arriving) {
    if (response.has_value()) {  // before the client hears of it, and sends the next one
      const auto session = net::find_header(response->headers, "Mcp-Session-Id");
      const std::lock_guard lock(mutex_);
      if (session) session_ = *session;
    }
    say_answer(id, response, arriving.text);
    const std::lock_guard lock(mutex_);
    open_.erase(key_of(id));
    idle_.notify_all();
  }
  static std::string key_of(const json::Value& id) { return json::to_text(id); }

  /// `body`: of a good answer that was no stream.
  void say_answer(const json::Value& id, const Result<net::OutboundResponse>& response, const std::string& body) {
    if (response.has_error()) {
      if (response.error().code != "net.cancelled") say_error(id, response.error().message);
      return;
    }
    const auto type = net::find_header(response->headers, "Content-Type").value_or("");
    if (response->status == 202 || type.starts_with("text/event-stream")) return;
    const auto& text = response->status >= 200 && response->status < 300 ? body : response->body;
    if (type.starts_with("application/problem") || json::parse(text).has_error()) {
      return say_error(id, fmt::format("The server answered {}.", response->status));
    }
    say(text);
  }

  void say_error(const json::Value& id, const std::string& message) {
    auto error = json::Value::object({{"code", -32603}, {"message", message}});
    say(json::to_text(json::Value::object({{"jsonrpc", "2.0"}, {"id", id}, {"error", std::move(error)}})));
  }
  void say(std::string_view message) {
    const std::lock_guard lock(output_mutex_);
    fmt::print("{}\n", message);
    std::fflush(stdout);
  }
  std::string url_;
  std::string key_;
  std::mutex output_mutex_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::map<std::string, net::RequestHandle> open_;  // guarded by mutex_, by the request's id
  std::string session_;                             // guarded by mutex_: of revisions that begin with `initialize`
  net::CurlOutbound outbound_;                      // last: its thread uses the others
};

}  // namespace

int run_mcp(const CommonOptions& common, const McpOptions& options) {
  const auto config = load_config(common, config::Purpose::tool);
  if (!config) return kUsage;
  auto url = options.url.empty() ? fmt::format("http://{}:{}", config->host, config->port) : options.url;
  while (url.ends_with('/')) url.pop_back();
  if (!url.ends_with("/mcp")) url += "/mcp";
  Bridge(std::move(url), config->api_key).run();
  return kOk;
}

}  // namespace pawl::app
