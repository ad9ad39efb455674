// `web-scraper`: fetches a page and picks texts or attributes out of it by CSS selectors.

#include <fmt/format.h>

#include <mutex>

#include "async/blocking_pool.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/css_selector.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/html.hpp"
#include "functions/detail/http_exchanger.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kMaxPage = 8U << 20U;
constexpr std::size_t kMaxMatches = 10'000;  // per selector

struct Pick {
  std::string name;
  Selector selector;
  std::string attribute;  // empty: the text
  bool all = true;        // false: the first match alone, or null
};

// `css`, `css@attribute`, or {selector, attribute, all}.
Result<Pick> read_pick(std::string_view name, const json::Value& value) {
  Pick pick;
  pick.name = name;
  std::string css = value.is_string() ? std::string(value.as_string()) : text_or(value, "selector", "");
  pick.attribute = text_or(value, "attribute", "");
  pick.all = flag_or(value, "all", true);
  if (const std::size_t at = css.rfind('@');
      value.is_string() && at != std::string::npos && css.find_first_of("]\"' ", at) == std::string::npos) {
    pick.attribute = css.substr(at + 1);
    css.erase(at);
  }
  PAWL_TRY(selector, Selector::parse(css));
  pick.selector = std::move(selector);
  return pick;
}

Result<std::vector<Pick>> read_picks(const json::Value& selectors) {
  std::vector<Pick> picks;
  for (const json::Member& member : selectors.members()) {
    PAWL_TRY(pick, read_pick(member.name(), member.value));
    picks.push_back(std::move(pick));
  }
  return picks;
}

Result<json::Value> apply(const Pick& pick, const HtmlPage& page) {
  PAWL_TRY(found, pick.selector.select(page.root(), kMaxMatches));
  json::Value values = json::Value::array();
  for (const auto* node : found) {
    if (pick.attribute.empty()) {
      values.push_back(text_of(node));
    } else if (auto attribute = attribute_text(node, pick.attribute)) {
      values.push_back(std::move(*attribute));
    }
  }
  if (pick.all) return values;
  return values.empty() ? json::Value() : values.at(0);
}

engine::Outcome scrape(const std::vector<Pick>& picks, net::OutboundResponse response) {
  auto page = HtmlPage::parse(std::move(response.body));
  if (page.has_error()) return failed(page.error());
  json::Value data = json::Value::object();
  for (const Pick& pick : picks) {
    auto values = apply(pick, *page);
    if (values.has_error()) return failed(values.error());
    data.set(pick.name, std::move(values).value());
  }
  return engine::Outcome::success(json::Value::object({{"status", "ok"},
                                                       {"status_code", response.status},
                                                       {"url", without_userinfo(response.effective_url)},
                                                       {"title", page->title()},
                                                       {"data", std::move(data)}}));
}

class WebScraper final : public Builtin {
 public:
  explicit WebScraper(const Parts& parts)
      : Builtin({.name = "web-scraper",
                 .summary = "Fetches a web page and picks data out of it by CSS selectors",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "url": {"type": "string", "minLength": 1},
                     "selectors": {
                       "type": "object",
                       "description": "name to selector; css@attribute picks an attribute in place of the text",
                       "minProperties": 1,
                       "additionalProperties": {
                         "oneOf": [
                           {"type": "string", "minLength": 1},
                           {
                             "type": "object",
                             "properties": {
                               "selector": {"type": "string", "minLength": 1},
                               "attribute": {"type": "string", "minLength": 1},
                               "all": {"type": "boolean", "default": true, "description": "false: the first match alone, or null"}
                             },
                             "required": ["selector"],
                             "additionalProperties": false
                           }
                         ]
                       }
                     },
                     "screenshot": {"type": "boolean", "default": false, "description": "needs a browser, which this server does not run"},
                     "screenshot_path": {"type": "string", "minLength": 1},
                     "wait_for": {"type": "string", "minLength": 1, "description": "needs a browser, which this server does not run"},
                     "headers": {"type": "object"},
                     "authentication": {"type": "object", "description": "as in the DSL"},
                     "headless": {"type": "boolean", "description": "accepted for older documents: there is no window in any case"},
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 30 s"},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "required": ["url", "selectors"],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "status": {"const": "ok"}, "status_code": {"type": "integer"}, "url": {"type": "string"}, "title": {"type": "string"},
                     "data": {"type": "object", "description": "name to a list of texts, or to the first one"}
                   }
                 })"),
                 .examples = literal(R"([
                   {"url": "https://example.org/", "selectors": {"headings": "h1, h2", "links": "a[href]@href", "lead": {"selector": "p:first-of-type", "all": false}}}
                 ])"),
                 .reach = {{engine::Access::Kind::host, "/url", ""}}}),
        parts_(parts) {}

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::read; }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(picks, read_picks(call.arguments.get("selectors")));
    return json::Value::array({json::Value::object({{"action", "request"},
                                                    {"method", "GET"},
                                                    {"uri", without_userinfo(text_or(call.arguments, "url", ""))},
                                                    {"selectors", picks.size()}})});
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    // A browser loads whatever a page names. Until all of its connections go through the address guard, none is started.
    if (flag_or(call.arguments, "screenshot", false) || call.arguments.find("wait_for") != nullptr) {
      done(engine::Outcome::failure(
          engine::make_error("configuration", 501, "No browser",
                             "`screenshot` and `wait_for` need a browser, which this server does not run; pages are read "
                             "as they are sent, without their scripts")));
      return {};
    }
    auto picks = read_picks(call.arguments.get("selectors"));
    auto headers = read_pairs(call.arguments.get("headers"), "headers");
    auto timeout = duration_argument(call.arguments, "timeout");
    if (picks.has_error() || headers.has_error() || timeout.has_error()) {
      done(failed(picks.has_error() ? picks.error() : headers.has_error() ? headers.error() : timeout.error()));
      return {};
    }
    HttpCall request;
    request.request.url = text_or(call.arguments, "url", "");
    request.request.headers = std::move(headers).value();
    request.request.max_response_bytes = std::min(kMaxPage, parts_.options.max_response);
    request.request.timeout = timeout->value_or(Millis(30'000));
    request.authentication = call.arguments.get("authentication");
    const auto shown = std::make_shared<const HttpCall>(shown_part(request));
    auto received = [shown, picks = std::move(picks).value(), secrets = call.secrets, pool = &parts_.dependencies.pool,
                     done = std::move(done)](Result<net::OutboundResponse> answer) {
      if (answer.has_error()) return done(unanswered(*shown, answer.error(), secrets));
      if (answer->status < 200 || answer->status >= 300) return done(to_outcome(*shown, *answer, secrets));
      // Parsing a page may take a while: not on the client's thread.
      auto response = std::make_shared<net::OutboundResponse>(std::move(answer).value());
      auto work = [picks, response](const std::atomic<bool>&) { return scrape(picks, std::move(*response)); };
      static_cast<void>(run_on_pool(*pool, std::move(work), done));
    };
    return parts_.http->send(std::move(request), call.secrets, std::move(received));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_web_scraper(const Parts& parts) { return std::make_unique<WebScraper>(parts); }

}  // namespace pawl::functions
