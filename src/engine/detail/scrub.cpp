#include "engine/detail/scrub.hpp"

#include "json/write.hpp"

namespace pawl::engine {
namespace {

constexpr audit::RedactOptions kByContent{.by_name = false, .max_depth = 1000};

}  // namespace

std::unique_ptr<const Scrub> Scrub::of(const json::Value& secrets) {
  if (!secrets.is_object() || secrets.size() == 0) return nullptr;
  auto needles = audit::Needles::of(secrets);
  if (needles.empty()) return nullptr;
  auto scrub = std::make_unique<Scrub>();
  scrub->needles_ = std::move(needles);
  return scrub;
}

json::Value Scrub::value(const json::Value& value) const { return redactor_.value(value, kByContent, &needles_); }

void Scrub::lines(std::vector<LogLine>& lines) const {
  for (auto& line : lines) line.text = redactor_.text(line.text, kByContent, &needles_);
}

void Scrub::event(decltype(Event::body)& body) const {
  struct Visitor {
    const Scrub& scrub;
    void operator()(RunStarted& event) const { event.input = scrub.value(event.input); }
    void operator()(RunQueued& event) const { event.input = scrub.value(event.input); }
    void operator()(EffectSucceeded& event) const {
      event.output = scrub.value(event.output);
      scrub.lines(event.logs);
    }
    void operator()(EffectFailed& event) const {
      event.error = scrub.value(event.error);
      scrub.lines(event.logs);
    }
    void operator()(MessageArrived& event) const { event.event = scrub.value(event.event); }
    void operator()(RetryRequested& event) const {
      if (event.input) event.input = scrub.value(*event.input);
    }
    void operator()(ApprovalDecided& event) const {
      event.data = scrub.value(event.data);
      event.comment = scrub.redactor_.text(event.comment, kByContent, &scrub.needles_);
    }
    void operator()(const RunAdmitted&) const {}
    void operator()(const EffectInterrupted&) const {}
    void operator()(const EffectBegun&) const {}
    void operator()(const TimerFired&) const {}
    void operator()(const CancelRequested&) const {}
    void operator()(const SuspendRequested&) const {}
    void operator()(const ResumeRequested&) const {}
  };
  std::visit(Visitor{*this}, body);
}

void Scrub::record(TaskRecord& record) const {
  record.input = value(record.input);
  record.output = value(record.output);
  record.error = value(record.error);
  lines(record.logs);
}

bool Scrub::occurs_in(const json::Value& value) const { return needles_.occur_in(json::to_text(value)); }

}  // namespace pawl::engine
