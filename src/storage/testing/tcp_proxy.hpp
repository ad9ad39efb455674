/// A line to a server that tests can cut: forwards connections from a port of 127.0.0.1 to another.
///
/// Thread-safe. `refuse` closes what is open and accepts nothing; `freeze` hands on nothing until it is taken back, as a server that is
/// stopped; `swallow_next_commit` lets the next `commit` through to PostgreSQL, waits for its answer and closes the line instead of handing
/// it on.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace pawl::storage::testing {

class TcpProxy {
 public:
  explicit TcpProxy(std::uint16_t target);
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;
  ~TcpProxy();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  void refuse(bool on) { refusing_ = on; }
  void freeze(bool on) { frozen_ = on; }
  void swallow_next_commit() { swallowing_ = true; }
  [[nodiscard]] std::uint32_t swallowed() const { return swallowed_; }
  /// How often, of all lines, something came back after something was sent: each time somebody may have waited for it.
  [[nodiscard]] std::uint64_t turns() const { return turns_; }

 private:
  void loop();

  const std::uint16_t target_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> refusing_{false};
  std::atomic<bool> frozen_{false};
  std::atomic<bool> swallowing_{false};
  std::atomic<std::uint32_t> swallowed_{0};
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace pawl::storage::testing
