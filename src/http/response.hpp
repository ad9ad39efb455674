/// One answer.
///
///     responder.send(Response::json(200, R"({"ok":true})"));
///
/// The server adds Date, Content-Length, Connection, X-Request-Id and the security headers: nosniff, no-referrer, no framing, own opener
/// and resource policy, no permissions, for clients that came by https `Strict-Transport-Security`, and for everything that sets no
/// `Content-Security-Policy` itself one that lets nothing load, run or be sent: what users' data is shown as cannot act. Handlers' own
/// Date, Content-Length, Connection, Keep-Alive and Transfer-Encoding fields are ignored.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "http/headers.hpp"

namespace pawl::http {

/// A string literal: the pointer lives as long as the program, so nothing is copied.
class Literal {
 public:
  constexpr Literal() = default;
  consteval Literal(const char* text) : text_(text) {}
  [[nodiscard]] constexpr std::string_view view() const noexcept { return text_; }

 private:
  std::string_view text_;
};

/// Goes out with `Cache-Control: no-store` where `headers` have no rule of their own.
struct Response {
  using SharedBody = std::shared_ptr<const std::string>;

  int status = 200;
  Literal content_type{};  ///< a fixed media type; empty: none, or the handler puts `Content-Type` into `headers`
  Headers headers{};
  std::variant<std::string, SharedBody> body{};  ///< shared: sent to many without a copy; not null

  Response() = default;
  explicit Response(int response_status) : status(response_status) {}
  Response(int response_status, Literal type, std::string text) : status(response_status), content_type(type), body(std::move(text)) {}
  Response(int response_status, Literal type, SharedBody text) : status(response_status), content_type(type), body(std::move(text)) {}

  [[nodiscard]] static Response json(int status, std::string text) { return {status, "application/json", std::move(text)}; }
  [[nodiscard]] static Response text(int status, std::string text) { return {status, "text/plain; charset=utf-8", std::move(text)}; }
  [[nodiscard]] static Response empty(int status = 204) { return Response(status); }

  [[nodiscard]] const std::string& body_text() const noexcept {
    if (const auto* own = std::get_if<std::string>(&body)) return *own;
    return *std::get<SharedBody>(body);
  }
  [[nodiscard]] Response&& with(std::string_view name, std::string_view value) && {
    headers.add(name, value);
    return std::move(*this);
  }
};

/// `OK`, `Not Found`, ...; empty for an unknown status.
[[nodiscard]] std::string_view reason_phrase(int status) noexcept;

}  // namespace pawl::http
