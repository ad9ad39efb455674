// `web-scraper`: fetches a page and picks texts or attributes out of it by CSS selectors.
//
// Pages are read as they are sent. Where `wait_for` or `screenshot` asks for it a browser runs their scripts first (`detail/browser.hpp`);
// it may load from the page's own hosts and from those that `hosts` names, so that the capability manifest of a workflow says them all.

#include <fmt/format.h>

#include <mutex>

#include "async/blocking_pool.hpp"
#include "functions/detail/browser.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/css_selector.hpp"
#include "functions/detail/file_io.hpp"
#include "functions/detail/html.hpp"
#include "functions/detail/http_exchanger.hpp"
#include "net/uri.hpp"

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

Result<json::Value> scrape(const std::vector<Pick>& picks, int status, const std::string& url, std::string html) {
  PAWL_TRY(page, HtmlPage::parse(std::move(html)));
  json::Value data = json::Value::object();
  for (const Pick& pick : picks) {
    PAWL_TRY(values, apply(pick, page));
    data.set(pick.name, std::move(values));
  }
  return json::Value::object(
      {{"status", "ok"}, {"status_code", status}, {"url", without_userinfo(url)}, {"title", page.title()}, {"data", std::move(data)}});
}

engine::Outcome outcome_of(Result<json::Value> scraped) {
  return scraped.has_value() ? engine::Outcome::success(std::move(scraped).value()) : failed(scraped.error());
}

bool needs_browser(const json::Value& arguments) {
  return flag_or(arguments, "screenshot", false) || arguments.find("wait_for") != nullptr;
}

/// What is to be picked, and where the picture goes.
struct Task {
  std::vector<Pick> picks;
  std::optional<Place> picture;
  bool overwrite = false;
};

Result<Task> read_task(const json::Value& arguments, const Roots& roots) {
  Task task;
  PAWL_TRY(picks, read_picks(arguments.get("selectors")));
  task.picks = std::move(picks);
  task.overwrite = flag_or(arguments, "overwrite", false);
  if (!flag_or(arguments, "screenshot", false)) return task;
  PAWL_TRY(place, roots.find(text_or(arguments, "screenshot_path", "screenshot.png")));
  task.picture = std::move(place);
  return task;
}

engine::Outcome report(const Task& task, Seen seen) {
  auto output = scrape(task.picks, seen.status, seen.url, std::move(seen.html));
  if (output.has_error()) return failed(output.error());
  json::Value refused = json::Value::array();
  for (std::string& host : seen.refused_hosts) refused.push_back(std::move(host));
  output->set("refused_hosts", std::move(refused));
  if (task.picture) {
    const auto written = write_whole(*task.picture, seen.picture, task.overwrite ? WriteMode::overwrite : WriteMode::create);
    if (written.has_error()) return failed(written.error());
    output->set("screenshot", task.picture->display());
  }
  return engine::Outcome::success(std::move(output).value());
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
                     "wait_for": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "run the page's scripts in a browser until this CSS selector matches"},
                     "screenshot": {"type": "boolean", "default": false, "description": "take a picture (PNG) of what a browser shows"},
                     "screenshot_path": {"type": "string", "minLength": 1, "default": "screenshot.png", "description": "the file for it, below the allowed folders"},
                     "overwrite": {"type": "boolean", "default": false, "description": "replace that file; needs allow_destructive"},
                     "hosts": {
                       "type": "array", "maxItems": 100, "items": {"type": "string", "pattern": "^(\\*|(\\*\\.)?[a-z0-9_\\[\\]:.-]{1,253})$"},
                       "description": "from where the browser may load beside the page's own host: names, *.example.org, or * for everywhere"
                     },
                     "headers": {"type": "object"},
                     "authentication": {"type": "object", "description": "as in the DSL"},
                     "headless": {"type": "boolean", "description": "accepted for older documents: there is no window in any case"},
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 30 s"},
                     "allow_destructive": {"type": "boolean", "default": false},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "required": ["url", "selectors"],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "status": {"const": "ok"}, "status_code": {"type": "integer"}, "url": {"type": "string"}, "title": {"type": "string"},
                     "data": {"type": "object", "description": "name to a list of texts, or to the first one"},
                     "screenshot": {"type": "string", "description": "where the picture is"},
                     "refused_hosts": {"type": "array", "items": {"type": "string"}, "description": "browser: from where the page wanted to load, and might not"}
                   }
                 })"),
                 .examples = literal(R"([
                   {"url": "https://example.org/", "selectors": {"headings": "h1, h2", "links": "a[href]@href", "lead": {"selector": "p:first-of-type", "all": false}}},
                   {"url": "https://example.org/prices", "selectors": {"prices": ".price"}, "wait_for": ".price", "hosts": ["cdn.example.org"]},
                   {"url": "https://example.org/", "selectors": {"title": "h1"}, "screenshot": true, "screenshot_path": "shots/home.png"},
                   {"url": "https://example.org/", "selectors": {"title": "h1"}, "screenshot": true, "overwrite": true, "allow_destructive": true}
                 ])"),
                 .destructive = true,
                 .reach = {{engine::Access::Kind::host, "/url", ""},
                           {engine::Access::Kind::host, "/hosts", ""},
                           {engine::Access::Kind::write, "/screenshot_path", "", "/screenshot"},
                           {engine::Access::Kind::process, "", "chromium"}}}),
        parts_(parts) {}

  [[nodiscard]] bool destroys(const json::Value& arguments) const override {
    return flag_or(arguments, "screenshot", false) && flag_or(arguments, "overwrite", false);
  }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    if (!flag_or(arguments, "screenshot", false)) return engine::EffectClass::read;
    return destroys(arguments) ? engine::EffectClass::idempotent : engine::EffectClass::once;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(task, read_task(call.arguments, *parts_.roots));
    json::Value steps = json::Value::array({json::Value::object({{"action", "request"},
                                                                 {"method", "GET"},
                                                                 {"uri", without_userinfo(text_or(call.arguments, "url", ""))},
                                                                 {"selectors", task.picks.size()},
                                                                 {"browser", needs_browser(call.arguments)}})});
    if (task.picture) {
      steps.push_back(json::Value::object({{"action", task.overwrite ? "overwrite" : "create"}, {"path", task.picture->display()}}));
    }
    return steps;
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto task = read_task(call.arguments, *parts_.roots);
    auto headers = read_pairs(call.arguments.get("headers"), "headers");
    auto timeout = duration_argument(call.arguments, "timeout");
    if (task.has_error() || headers.has_error() || timeout.has_error()) {
      done(failed(task.has_error() ? task.error() : headers.has_error() ? headers.error() : timeout.error()));
      return {};
    }
    HttpCall request;
    request.request.url = text_or(call.arguments, "url", "");
    request.request.headers = std::move(headers).value();
    request.request.max_response_bytes = std::min(kMaxPage, parts_.options.max_response);
    request.request.timeout = timeout->value_or(Millis(30'000));
    request.authentication = call.arguments.get("authentication");
    if (needs_browser(call.arguments) && net::host_of(request.request.url).empty()) {
      done(invalid_arguments("`url` is not an http or https URL"));
      return {};
    }
    if (needs_browser(call.arguments)) return browse(call, std::move(request), std::move(task).value(), std::move(done));

    const auto shown = std::make_shared<const HttpCall>(shown_part(request));
    auto received = [shown, picks = std::move(task->picks), secrets = call.secrets, pool = &parts_.dependencies.pool,
                     done = std::move(done)](Result<net::OutboundResponse> answer) {
      if (answer.has_error()) return done(unanswered(*shown, answer.error(), secrets));
      if (answer->status < 200 || answer->status >= 300) return done(to_outcome(*shown, *answer, secrets));
      // Parsing a page may take a while: not on the client's thread.
      auto response = std::make_shared<net::OutboundResponse>(std::move(answer).value());
      auto work = [picks, response](const std::atomic<bool>&) {
        return outcome_of(scrape(picks, response->status, response->effective_url, std::move(response->body)));
      };
      static_cast<void>(run_on_pool(*pool, std::move(work), done));
    };
    return parts_.http->send(std::move(request), call.secrets, std::move(received));
  }

  engine::Cancel browse(const engine::Invocation& call, HttpCall request, Task task, engine::Done done) {
    Visit what{.page = std::move(request), .secrets = call.secrets, .hosts = {}, .wait_for = text_or(call.arguments, "wait_for", "")};
    what.picture = task.picture.has_value();
    if (const auto& hosts = call.arguments.get("hosts"); hosts.is_array()) {
      for (const json::Value& host : hosts.items()) what.hosts.emplace_back(host.as_string());
    }
    auto seen = [task = std::move(task), pool = &parts_.dependencies.pool,
                 done = std::move(done)](std::variant<Seen, engine::Outcome> end) {
      if (auto* const outcome = std::get_if<engine::Outcome>(&end)) return done(std::move(*outcome));
      auto page = std::make_shared<Seen>(std::get<Seen>(std::move(end)));
      auto work = [task, page](const std::atomic<bool>&) { return report(task, std::move(*page)); };
      static_cast<void>(run_on_pool(*pool, std::move(work), done));
    };
    return visit(parts_.processes, parts_.http, std::move(what), std::move(seen));
  }

  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_web_scraper(const Parts& parts) { return std::make_unique<WebScraper>(parts); }

}  // namespace pawl::functions
