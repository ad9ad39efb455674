#include "app/audit_watch.hpp"

#include <chrono>
#include <utility>

#include <fmt/core.h>

namespace pawl::app {
namespace {

constexpr std::chrono::minutes kFirst{5};
constexpr std::chrono::hours kPeriod{24};

}  // namespace

void look_at_trail(storage::Database& database, audit::Log& log, const AuditWatch::Told& told, std::function<bool()> stop) {
  log.flush_file();
  audit::VerifyOptions wish;
  wish.stop = std::move(stop);
  wish.keys = log.keys();
  wish.file = log.file();
  auto report = audit::verify(database, wish);
  // A person who is erased while the walk is under way takes addresses with a record that the walk does not see: what is broken stays so.
  if (report.has_value() && !report->ok) report = audit::verify(database, wish);
  if (report.has_error() && report.error().code == "audit.stopped") return;
  if (report.has_error()) return told("failed", report.error().message);
  if (report->ok) return told("ok", {});
  told("broken", report->problem
                     ? fmt::format("record {}: {}: {}", report->problem->sequence, report->problem->kind, report->problem->detail)
                     : std::string("it does not say where"));
}

AuditWatch::AuditWatch(storage::Database& database, audit::Log& log, Told told)
    : database_(database), log_(log), told_(std::move(told)), thread_([this] { run(); }) {}

AuditWatch::~AuditWatch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void AuditWatch::run() {
  for (std::chrono::milliseconds wait = kFirst;; wait = kPeriod) {
    {
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, wait, [this] { return stop_; })) return;
    }
    look_at_trail(database_, log_, told_, [this] {
      const std::lock_guard lock(mutex_);
      return stop_;
    });
  }
}

}  // namespace pawl::app
