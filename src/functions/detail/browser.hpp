/// A page as a browser shows it: scripts run, and a picture can be taken. Debian's `chromium`, headless, one process for one page.
///
/// The browser has no network: it runs in a sandbox with an empty one (bubblewrap; nothing else will do) and sees no files. Each request of
/// the page is handed to us over its debugging pipe before it is made, and answered from here through `HttpExchanger`, so that every
/// connection is the guarded client's: resolved, looked at and connected to in one place, for the page, its redirects and all that it
/// loads. What is not asked for in this way (WebSockets, WebRTC, DNS, the browser's own calls home, `file:` and `chrome:` pages) leads
/// nowhere.
///
/// What it says is a stranger's: messages are bounded, and what it can ask for is a GET from hosts that the call names.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "engine/function.hpp"
#include "functions/detail/http_call.hpp"
#include "functions/detail/http_exchanger.hpp"
#include "functions/detail/process_runner.hpp"

namespace pawl::functions {

struct Visit {
  HttpCall page;  ///< header fields and authentication go with requests of the page itself to its own origin only
  json::Value secrets;
  /// From where it may load beside the hosts of the page and of what that redirects to: names, `*.example.org`, `*`.
  std::vector<std::string> hosts;
  std::string wait_for;  ///< a CSS selector that must match before the page is read; empty: until it is loaded
  bool picture = false;
};

struct Seen {
  int status = 0;
  std::string url;                         ///< where the page is now
  std::string html;                        ///< as it is now
  std::string picture;                     ///< PNG, where one was asked for
  std::vector<std::string> refused_hosts;  ///< from where it wanted to load, and might not
};

/// Comes once, on the runner's thread: what was seen, or the outcome that says why nothing was.
using VisitDone = std::function<void(std::variant<Seen, engine::Outcome>)>;
[[nodiscard]] engine::Cancel visit(const std::shared_ptr<ProcessRunner>& processes, const std::shared_ptr<HttpExchanger>& http, Visit what,
                                   VisitDone done);

/// Whether `host` is one of `hosts`: equal, below `*.example.org`, or anything for `*`.
[[nodiscard]] bool is_named_host(std::string_view host, const std::vector<std::string>& hosts);

}  // namespace pawl::functions
