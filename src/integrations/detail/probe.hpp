// What the connectors' tests have in common: sending and waiting, and the sentences about what went wrong.
#pragma once

#include <string>
#include <string_view>

#include "integrations/connector.hpp"
#include "net/uri.hpp"

namespace pawl::integrations::detail {

/// JSON text that the program itself wrote.
[[nodiscard]] json::Value literal(std::string_view text);
/// A text member of the configuration, or `fallback`.
[[nodiscard]] std::string text_of(const json::Value& config, std::string_view field, std::string_view fallback = "");
[[nodiscard]] std::int64_t integer_of(const json::Value& config, std::string_view field, std::int64_t fallback);
using net::host_of;
[[nodiscard]] std::string without_slash(std::string url);

/// What is left of the test's time, at least 1 ms.
[[nodiscard]] std::chrono::milliseconds time_left(const ProbeTools& tools);
/// Sends and waits. Redirects are not followed: credentials stay where they were meant for.
[[nodiscard]] Result<net::OutboundResponse> send(const ProbeTools& tools, net::OutboundRequest request);

/// A failure in our own words, for a request that got no answer.
[[nodiscard]] Verdict no_answer(std::string_view service, const Error& error);
/// The body as JSON where the answer has status 200; else a failed verdict.
[[nodiscard]] Result<json::Value> json_answer(std::string_view service, const Result<net::OutboundResponse>& answer);
/// 200, JSON, and a member of this name: what a service that is really meant answers.
[[nodiscard]] Verdict expect_member(std::string_view service, const Result<net::OutboundResponse>& answer, std::string_view member,
                                    std::string_view success);
[[nodiscard]] Verdict lied(std::string_view service);

// One per file.
[[nodiscard]] Connector anthropic();
[[nodiscard]] Connector dropbox();
[[nodiscard]] Connector email();
[[nodiscard]] Connector github();
[[nodiscard]] Connector googledrive();
[[nodiscard]] Connector http();
[[nodiscard]] Connector openai();
[[nodiscard]] Connector postgres();
[[nodiscard]] Connector s3();
[[nodiscard]] Connector slack();

}  // namespace pawl::integrations::detail
