/// Errors of the server at Sentry, or whatever speaks its protocol: what the log says at level `error`, and requests answered with 500.
/// Off unless `SENTRY_DSN` is set.
///
/// A report says what happened and where in the program: event, sentence, route, request id, trace. Never a body, a query, an address or a
/// name of people; known secrets and e-mail addresses are taken out of sentences. The same report goes at most once a minute. At most 20
/// are under way: more are dropped, as are all while the service wants to be left alone (429) or does not answer. Nobody ever waits for it,
/// but for two seconds at the end.
///
/// https://develop.sentry.dev/sdk/envelopes/
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "app/log.hpp"
#include "audit/redact.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "config/config.hpp"
#include "http/server.hpp"
#include "net/curl_outbound.hpp"

namespace pawl::app {

/// Where reports go: `https://KEY@host/PROJECT`.
struct SentryAddress {
  std::string url;  ///< of the envelopes
  std::string key;
  /// Error `sentry.dsn`; the sentence does not repeat the text.
  [[nodiscard]] static Result<SentryAddress> parse(std::string_view dsn);
};

class ErrorReports {
 public:
  ErrorReports(SentryAddress address, const config::Config& config, const audit::Redactor& redactor, const Clock& clock, Random& random);
  /// Waits a moment for what is under way.
  ~ErrorReports();
  ErrorReports(const ErrorReports&) = delete;
  ErrorReports& operator=(const ErrorReports&) = delete;

  // Any thread; neither blocks.
  void error(std::string_view event, std::string_view sentence, std::span<const observe::Field> fields);
  void request(const http::Completed& completed);

 private:
  struct State;
  void report(std::string_view event, std::string_view sentence, json::Value tags);
  [[nodiscard]] std::string envelope(std::string_view event, const std::string& sentence, json::Value tags);

  const SentryAddress address_;
  const std::string environment_;
  const std::string release_;
  const audit::Redactor& redactor_;
  const Clock& clock_;
  Random& random_;
  std::shared_ptr<State> state_;
  std::unique_ptr<net::CurlOutbound> outbound_;  ///< of its own: the operator's service may well be on this machine
};

}  // namespace pawl::app
