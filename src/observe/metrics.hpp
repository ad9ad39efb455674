/// Figures about the running program, in Prometheus' text format.
///
///     observe::Metrics metrics;
///     auto& requests = metrics.counter("pawl_http_requests_total", "HTTP requests", {"route", "method", "status"});
///     requests.with({"listWorkflows", "GET", "200"}).add();                       // cheap: a shared lock and an atomic addition
///     metrics.gauge("pawl_runs_in_memory", "Runs in memory", [&] { return double(engine.statistics().runs_in_memory); });
///     metrics.text();                                                           // what `/metrics` answers
///
/// Names and labels are the program's, never a client's: routes by name, hosts not at all. Should a family still grow, then at
/// `kMaxSeries` everything new counts as `other`. So a family has a bound, and the answer too.
///
/// Threads: any, once the families are declared. A series never moves: keep the reference on a hot path.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pawl::observe {

inline constexpr std::size_t kMaxSeries = 2000;

class Counter {
 public:
  void add(std::uint64_t amount = 1) noexcept { value_.fetch_add(amount, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Seconds, in fixed buckets from 1 ms to 60 s.
class Histogram {
 public:
  static constexpr std::array<double, 12> kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 10, 60};
  void observe(double seconds) noexcept;
  [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
  [[nodiscard]] double sum() const noexcept { return static_cast<double>(micros_.load(std::memory_order_relaxed)) / 1e6; }
  /// Observations up to bound `index`, cumulative.
  [[nodiscard]] std::uint64_t up_to(std::size_t index) const noexcept;

 private:
  std::array<std::atomic<std::uint64_t>, kBounds.size()> buckets_{};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> micros_{0};
};

namespace detail {
template <class Series>
class Children;
}

/// One name, one series for each combination of label values.
template <class Series>
class Family {
 public:
  Family(std::string name, std::string help, std::vector<std::string> labels);
  ~Family();
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;
  /// As many values as the family has labels.
  [[nodiscard]] Series& with(std::initializer_list<std::string_view> values);

 private:
  friend class Metrics;
  std::unique_ptr<detail::Children<Series>> children_;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// Declare once, before other threads run; a name that is taken is a bug (asserted).
  [[nodiscard]] Family<Counter>& counter(std::string_view name, std::string_view help, std::vector<std::string> labels = {});
  [[nodiscard]] Family<Histogram>& histogram(std::string_view name, std::string_view help, std::vector<std::string> labels = {});
  using Read = std::function<double()>;
  /// Asked at each `text`; must be quick.
  void gauge(std::string_view name, std::string_view help, Read read);
  /// The same for a figure that only grows.
  void counted(std::string_view name, std::string_view help, Read read);
  /// Gauges and counters with labels: label values and figure of each series.
  using Samples = std::vector<std::pair<std::vector<std::string>, double>>;
  void gauges(std::string_view name, std::string_view help, std::vector<std::string> labels, std::function<Samples()> read);
  void counteds(std::string_view name, std::string_view help, std::vector<std::string> labels, std::function<Samples()> read);

  /// Prometheus' text format, version 0.0.4.
  [[nodiscard]] std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Resident memory of the process in bytes, 0 where the system does not say.
[[nodiscard]] std::uint64_t resident_bytes();
[[nodiscard]] std::uint64_t open_files();

}  // namespace pawl::observe
