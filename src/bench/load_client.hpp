/// A closed-loop HTTP/1.1 client: each connection sends its next request when the answer to the last one has come. One thread, epoll, no
/// allocation per request, so that little of the machine is the client's.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace pawl::bench {

struct Load {
  std::uint16_t port = 0;  ///< on 127.0.0.1
  std::string request;     ///< a whole request, headers and body
  std::uint32_t connections = 1;
  std::uint64_t requests = 1000;   ///< in all
  std::chrono::seconds limit{20};  ///< ends the load in any case
};

struct LoadResult {
  std::uint64_t completed = 0;
  std::uint64_t refused = 0;  ///< answers with another status than 2xx
  double seconds = 0;
  std::vector<std::uint32_t> latencies_us;  ///< sorted
  std::string last_body;                    ///< of the last answer: lets a scenario check what it measured

  [[nodiscard]] double per_second() const { return seconds > 0 ? static_cast<double>(completed) / seconds : 0; }
  /// `share` from 0 to 1, in milliseconds.
  [[nodiscard]] double percentile_ms(double share) const;
};

/// Blocks until all requests are answered or the limit is reached. Error `bench.connection` where the server goes away.
[[nodiscard]] Result<LoadResult> run_load(const Load& load);

/// Text of a request with a JSON body.
[[nodiscard]] std::string make_request(std::string_view method, std::string_view path, std::string_view body, std::string_view bearer);

}  // namespace pawl::bench
