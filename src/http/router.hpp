/// Which handler answers which method and path.
///
/// Filled once at start, then given to the server and never changed: lookups need no lock. Patterns are `/`-separated segments:
/// `/api/runs/{run_id}/events` binds one segment per `{name}`, `/assets/{path...}` binds the rest (one segment or more). A literal
/// segment wins over `{name}`, and that over `{name...}`; there is no other precedence. HEAD is answered by the GET handler without a body;
/// OPTIONS by 204 with `Allow` unless a route says otherwise. A trailing slash makes another path.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/request.hpp"
#include "http/responder.hpp"

namespace pawl::http {

/// Called on the connection's io thread; must not block it. May answer at once or keep the Responder and answer later from any thread. An
/// exception is answered with 500 (`http.internal`).
using Handler = std::function<void(Request&&, Responder)>;

struct RouteOptions {
  std::string name{};              ///< for metrics and `Request::route`; default: the pattern
  std::size_t max_body_bytes = 0;  ///< 0: the server's `max_body_bytes`
  bool compress = false;           ///< replies may be compressed: none shows a secret beside what the client sent
};

class Router {
 public:
  struct Route {
    std::string pattern;
    RouteOptions options;
    Handler handler;
  };
  struct Match {
    const Route* route = nullptr;  ///< null: nothing answers
    unsigned allowed = 0;          ///< bit per Method that the path knows; 0 with a null route means 404, else 405
  };

  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  /// A malformed pattern, two routes with the same method and shape, or two names for the same parameter place are bugs of the
  /// program: asserted.
  void add(Method method, std::string_view pattern, Handler handler, RouteOptions options = {});

  /// `path` is decoded and checked (`Request::path`). Fills `params` on success.
  [[nodiscard]] Match find(Method method, std::string_view path, NameValues& params) const;

  /// The `Allow` field for a set of methods, with HEAD and OPTIONS derived.
  [[nodiscard]] static std::string allow_field(unsigned allowed);

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

}  // namespace pawl::http
