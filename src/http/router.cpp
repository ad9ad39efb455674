#include "http/router.hpp"

#include <array>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/assert.hpp"

namespace pawl::http {
namespace {

constexpr std::size_t kMethods = 7;

constexpr unsigned bit(Method method) { return 1U << static_cast<unsigned>(method); }

struct TransparentHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

/// The routes of one pattern, by method.
struct Endpoint {
  std::array<std::unique_ptr<Router::Route>, kMethods> routes;
  unsigned allowed = 0;

  [[nodiscard]] const Router::Route* pick(Method method) const {
    const auto* exact = routes[static_cast<std::size_t>(method)].get();
    if (exact == nullptr && method == Method::head) exact = routes[static_cast<std::size_t>(Method::get)].get();
    return exact;
  }
};

}  // namespace

/// A segment of the tree. Whole literal paths have a shortcut in the root's `exact` map: the common routes cost one hash.
struct Router::Node {
  std::unordered_map<std::string, std::unique_ptr<Node>, TransparentHash, std::equal_to<>> literals;
  std::unique_ptr<Node> parameter;
  std::string parameter_name;
  std::unique_ptr<Endpoint> tail;
  std::string tail_name;
  Endpoint endpoint;
  std::unordered_map<std::string, Endpoint*, TransparentHash, std::equal_to<>> exact;  ///< root only

  /// The endpoint for `rest` (what follows the slash), or null. Backtracks from a literal to a parameter to a tail; the depth is that of
  /// the longest pattern.
  [[nodiscard]] const Endpoint* find(std::string_view rest, NameValues& params) const {
    const auto slash = rest.find('/');
    const auto segment = rest.substr(0, slash);
    const bool last = slash == std::string_view::npos;
    const auto descend = [&](const Node& child) -> const Endpoint* {
      if (!last) return child.find(rest.substr(slash + 1), params);
      return child.endpoint.allowed != 0 ? &child.endpoint : nullptr;
    };
    if (const auto literal = literals.find(segment); literal != literals.end()) {
      if (const auto* found = descend(*literal->second)) return found;
    }
    if (segment.empty()) return nullptr;
    if (parameter) {
      params.emplace_back(parameter_name, segment);
      if (const auto* found = descend(*parameter)) return found;
      params.pop_back();
    }
    if (tail) {
      params.emplace_back(tail_name, rest);
      return tail.get();
    }
    return nullptr;
  }
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::add(Method method, std::string_view pattern, Handler handler, RouteOptions options) {
  PAWL_ASSERT(pattern.starts_with('/'), "a route pattern starts with a slash");
  PAWL_ASSERT(static_cast<bool>(handler), "a route has a handler");
  Node* node = root_.get();
  Endpoint* endpoint = nullptr;
  bool literal = true;
  for (auto rest = std::optional(pattern.substr(1)); rest;) {
    PAWL_ASSERT(endpoint == nullptr, "nothing follows a tail parameter");
    const auto slash = rest->find('/');
    const auto segment = rest->substr(0, slash);
    rest = slash == std::string_view::npos ? std::nullopt : std::optional(rest->substr(slash + 1));
    if (!segment.starts_with('{')) {
      auto& child = node->literals[std::string(segment)];
      if (!child) child = std::make_unique<Node>();
      node = child.get();
      continue;
    }
    literal = false;
    PAWL_ASSERT(segment.ends_with('}') && segment.size() > 2, "a parameter is a whole segment");
    auto name = segment.substr(1, segment.size() - 2);
    const bool is_tail = name.ends_with("...");
    if (is_tail) name.remove_suffix(3);
    auto& known_name = is_tail ? node->tail_name : node->parameter_name;
    PAWL_ASSERT(!name.empty() && (known_name.empty() || known_name == name), "one name per parameter place");
    known_name = name;
    if (is_tail) {
      if (!node->tail) node->tail = std::make_unique<Endpoint>();
      endpoint = node->tail.get();
    } else {
      if (!node->parameter) node->parameter = std::make_unique<Node>();
      node = node->parameter.get();
    }
  }
  if (endpoint == nullptr) endpoint = &node->endpoint;
  auto& slot = endpoint->routes[static_cast<std::size_t>(method)];
  PAWL_ASSERT(slot == nullptr, "one handler per method and pattern");
  if (options.name.empty()) options.name = pattern;
  slot = std::make_unique<Route>(Route{std::string(pattern), std::move(options), std::move(handler)});
  endpoint->allowed |= bit(method);
  if (literal) root_->exact.emplace(std::string(pattern), endpoint);
}

Router::Match Router::find(Method method, std::string_view path, NameValues& params) const {
  params.clear();
  const Endpoint* endpoint = nullptr;
  if (const auto exact = root_->exact.find(path); exact != root_->exact.end()) {
    endpoint = exact->second;
  } else if (path.starts_with('/')) {
    endpoint = root_->find(path.substr(1), params);
  }
  if (endpoint == nullptr) return {};
  return {endpoint->pick(method), endpoint->allowed};
}

std::string Router::allow_field(unsigned allowed) {
  if ((allowed & bit(Method::get)) != 0) allowed |= bit(Method::head);
  allowed |= bit(Method::options);
  std::string text;
  for (std::size_t i = 0; i < kMethods; ++i) {
    const auto method = static_cast<Method>(i);
    if ((allowed & bit(method)) == 0) continue;
    if (!text.empty()) text += ", ";
    text += to_string(method);
  }
  return text;
}

}  // namespace pawl::http
