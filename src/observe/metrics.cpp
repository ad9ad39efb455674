#include "observe/metrics.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <variant>

#include "base/assert.hpp"

namespace pawl::observe {
namespace {

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::format("{}", static_cast<std::int64_t>(value));
  return fmt::format("{}", value);
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char letter : text) {
    if (letter == '\\' || letter == '"') out += '\\';
    if (letter == '\n') {
      out += "\\n";
    } else {
      out += letter;
    }
  }
}

/// `{a="x",b="y"}`, with a further label at the end where there is one; empty without labels.
std::string label_text(const std::vector<std::string>& names, std::span<const std::string> values, std::string_view more_name = {},
                       std::string_view more_value = {}) {
  std::string out;
  const auto add = [&out](std::string_view name, std::string_view value) {
    out += out.empty() ? "{" : ",";
    out.append(name).append("=\"");
    append_escaped(out, value);
    out += '"';
  };
  for (std::size_t i = 0; i < names.size(); ++i) add(names[i], values[i]);
  if (!more_name.empty()) add(more_name, more_value);
  return out.empty() ? out : out + "}";
}

void append_head(std::string& out, std::string_view name, std::string_view help, std::string_view type) {
  out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

}  // namespace

namespace detail {

template <class Series>
class Children {
 public:
  Children(std::string a_name, std::string a_help, std::vector<std::string> a_labels)
      : name(std::move(a_name)), help(std::move(a_help)), labels(std::move(a_labels)) {}

  Series& with(std::initializer_list<std::string_view> values) {
    PAWL_ASSERT(values.size() == labels.size(), "a series needs a value for each label");
    std::string key;
    for (const auto value : values) key.append(value).push_back('\0');
    {
      const std::shared_lock lock(mutex);
      if (const auto found = series.find(key); found != series.end()) return *found->second.second;
    }
    const std::unique_lock lock(mutex);
    std::vector<std::string> texts(values.begin(), values.end());
    if (series.size() >= kMaxSeries && !series.contains(key)) {
      key.clear();
      for (auto& text : texts) {
        text = "other";
        key.append(text).push_back('\0');
      }
    }
    auto& child = series[key];
    if (!child.second) child = {std::move(texts), std::make_unique<Series>()};
    return *child.second;
  }

  const std::string name;
  const std::string help;
  const std::vector<std::string> labels;
  std::shared_mutex mutex;
  std::map<std::string, std::pair<std::vector<std::string>, std::unique_ptr<Series>>, std::less<>> series;
};

namespace {

void append_series(std::string& out, Children<Counter>& family) {
  append_head(out, family.name, family.help, "counter");
  const std::shared_lock lock(family.mutex);
  for (const auto& [key, child] : family.series) {
    out += fmt::format("{}{} {}\n", family.name, label_text(family.labels, child.first), child.second->value());
  }
}

void append_series(std::string& out, Children<Histogram>& family) {
  append_head(out, family.name, family.help, "histogram");
  const std::shared_lock lock(family.mutex);
  for (const auto& [key, child] : family.series) {
    const auto& histogram = *child.second;
    const auto total = histogram.count();  // first: the buckets may only have more by now
    for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
      out += fmt::format("{}_bucket{} {}\n", family.name, label_text(family.labels, child.first, "le", number_text(Histogram::kBounds[i])),
                         std::min(total, histogram.up_to(i)));
    }
    out += fmt::format("{}_bucket{} {}\n", family.name, label_text(family.labels, child.first, "le", "+Inf"), total);
    out += fmt::format("{}_sum{} {}\n", family.name, label_text(family.labels, child.first), histogram.sum());
    out += fmt::format("{}_count{} {}\n", family.name, label_text(family.labels, child.first), total);
  }
}

}  // namespace
}  // namespace detail

template <class Series>
Family<Series>::Family(std::string name, std::string help, std::vector<std::string> labels)
    : children_(std::make_unique<detail::Children<Series>>(std::move(name), std::move(help), std::move(labels))) {}
template <class Series>
Family<Series>::~Family() = default;
template <class Series>
Series& Family<Series>::with(std::initializer_list<std::string_view> values) {
  return children_->with(values);
}
template class Family<Counter>;
template class Family<Histogram>;

void Histogram::observe(double seconds) noexcept {
  const auto bucket = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  if (bucket != kBounds.end()) buckets_[static_cast<std::size_t>(bucket - kBounds.begin())].fetch_add(1, std::memory_order_relaxed);
  micros_.fetch_add(static_cast<std::uint64_t>(std::max(0.0, seconds) * 1e6), std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t Histogram::up_to(std::size_t index) const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i <= index; ++i) sum += buckets_[i].load(std::memory_order_relaxed);
  return sum;
}

struct Metrics::Impl {
  struct Asked {
    std::string help;
    std::string type;
    std::vector<std::string> labels;
    std::function<Samples()> read;
  };
  using Entry = std::variant<std::unique_ptr<Family<Counter>>, std::unique_ptr<Family<Histogram>>, Asked>;
  std::map<std::string, Entry, std::less<>> entries;  // by name, so that the answer has an order

  template <class Made>
  Made& add(std::string_view name, Made made) {
    const auto [it, is_new] = entries.emplace(std::string(name), std::move(made));
    PAWL_ASSERT(is_new, "a metric of this name exists already");
    return std::get<Made>(it->second);
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Family<Counter>& Metrics::counter(std::string_view name, std::string_view help, std::vector<std::string> labels) {
  return *impl_->add(name, std::make_unique<Family<Counter>>(std::string(name), std::string(help), std::move(labels)));
}

Family<Histogram>& Metrics::histogram(std::string_view name, std::string_view help, std::vector<std::string> labels) {
  return *impl_->add(name, std::make_unique<Family<Histogram>>(std::string(name), std::string(help), std::move(labels)));
}

void Metrics::gauge(std::string_view name, std::string_view help, Read read) {
  auto samples = [read = std::move(read)] { return Samples{{{}, read()}}; };
  impl_->add(name, Impl::Asked{std::string(help), "gauge", {}, std::move(samples)});
}

void Metrics::counted(std::string_view name, std::string_view help, Read read) {
  auto samples = [read = std::move(read)] { return Samples{{{}, read()}}; };
  impl_->add(name, Impl::Asked{std::string(help), "counter", {}, std::move(samples)});
}

void Metrics::gauges(std::string_view name, std::string_view help, std::vector<std::string> labels, std::function<Samples()> read) {
  impl_->add(name, Impl::Asked{std::string(help), "gauge", std::move(labels), std::move(read)});
}

void Metrics::counteds(std::string_view name, std::string_view help, std::vector<std::string> labels, std::function<Samples()> read) {
  impl_->add(name, Impl::Asked{std::string(help), "counter", std::move(labels), std::move(read)});
}

std::string Metrics::text() const {
  std::string out;
  for (const auto& [name, entry] : impl_->entries) {
    if (const auto* counters = std::get_if<std::unique_ptr<Family<Counter>>>(&entry)) {
      detail::append_series(out, *(*counters)->children_);
    } else if (const auto* histograms = std::get_if<std::unique_ptr<Family<Histogram>>>(&entry)) {
      detail::append_series(out, *(*histograms)->children_);
    } else {
      const auto& asked = std::get<Impl::Asked>(entry);
      append_head(out, name, asked.help, asked.type);
      auto samples = asked.read();
      if (samples.size() > kMaxSeries) samples.resize(kMaxSeries);
      for (const auto& [values, value] : samples)
        out += fmt::format("{}{} {}\n", name, label_text(asked.labels, values), number_text(value));
    }
  }
  return out;
}

std::uint64_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (!(in >> total >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t open_files() {
  std::error_code error;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end; it.increment(error)) ++count;
  return count;
}

}  // namespace pawl::observe
