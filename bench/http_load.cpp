// Loads one address on loopback with one request, given whole on standard input; the client of `pawl bench` as a program of its own.
//
//   bench_http_load PORT CONNECTIONS REQUESTS SECONDS < request
//
// Ends by itself: after the requests, or after the seconds. Prints one line of JSON.
#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>

#include "bench/load_client.hpp"

int main(int count, char** arguments) {
  if (count != 5) {
    std::fputs("usage: bench_http_load PORT CONNECTIONS REQUESTS SECONDS < request\n", stderr);
    return 2;
  }
  const auto number = [&](int index) { return std::strtoul(arguments[index], nullptr, 10); };
  pawl::bench::Load load;
  load.port = static_cast<std::uint16_t>(number(1));
  load.connections = static_cast<std::uint32_t>(number(2));
  load.requests = number(3);
  load.limit = std::chrono::seconds(number(4));
  load.request.assign(std::istreambuf_iterator<char>(std::cin), {});
  const auto result = pawl::bench::run_load(load);
  if (result.has_error()) {
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    return 1;
  }
  fmt::print("{{\"completed\": {}, \"refused\": {}, \"seconds\": {:.4f}, \"p50_ms\": {:.3f}, \"p95_ms\": {:.3f}, \"p99_ms\": {:.3f}}}\n",
             result->completed, result->refused, result->seconds, result->percentile_ms(0.50), result->percentile_ms(0.95),
             result->percentile_ms(0.99));
  return 0;
}
