// What an outbound request costs: N requests at a fixed concurrency against a server in another process.
//
//   bench_http_hello pawl 8080 &
//   bench_outbound http://127.0.0.1:8080/hello [REQUESTS] [CONCURRENCY]
//
// Prints requests per second and the CPU time of this process per request.
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <string>

#include "net/curl_outbound.hpp"

namespace pawl {
namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// A closed loop: each answer starts the next request.
struct Loop {
  net::CurlOutbound& outbound;
  std::string url;
  std::atomic<long> left;
  std::atomic<long> failed{0};
  std::latch done;

  void next() {
    if (left.fetch_sub(1) <= 0) return;
    outbound.start({.url = url}, [this](Result<net::OutboundResponse> result) {
      if (!result || result->status != 200) ++failed;
      next();
      done.count_down();
    });
  }
};

int run(const std::string& url, long requests, long concurrency) {
  net::CurlOptions options;
  options.policy.allow_private = true;
  net::CurlOutbound outbound(std::move(options));
  Loop loop{outbound, url, {requests}, {}, std::latch(requests)};
  const auto began = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  for (long i = 0; i < concurrency; ++i) loop.next();
  loop.done.wait();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began;
  std::printf("%ld requests, %ld failed, %.0f per second, %.1f us of CPU each\n", requests, loop.failed.load(),
              static_cast<double>(requests) / elapsed.count(), (cpu_seconds() - cpu) * 1e6 / static_cast<double>(requests));
  return loop.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pawl

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: bench_outbound URL [REQUESTS] [CONCURRENCY]\n");
    return 2;
  }
  return pawl::run(arguments[1], count > 2 ? std::atol(arguments[2]) : 50'000, count > 3 ? std::atol(arguments[3]) : 64);
}
