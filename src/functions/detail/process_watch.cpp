#include "functions/detail/process_watch.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string_view>

#include "functions/detail/process.hpp"

namespace pawl::functions {
namespace {

constexpr std::string_view kBubblewrap = "bwrap";
constexpr const char* kName = "pawl-watch";

// Each line begins or ends one: `+12`, `-12`. The end of all lines is that of the server. Signals to everybody are not meant for it.
// The list does not grow by those that have ended (the shell searches it), and a group that is gone already ends nothing: what `kill` says
// about it has no reader, which would end the shell. Then come those that bubblewrap has given a session of their own: `$1` is how their
// command lines begin.
constexpr const char* kScript = R"sh(trap '' HUP INT QUIT TERM PIPE
all=' '
while read -r line; do
  one=${line#?}
  case $line in
    +*) all="$all$one " ;;
    *) case $all in *" $one "*) all="${all%% $one *} ${all#* $one }" ;; esac ;;
  esac
done
for one in $all; do kill -9 "-$one" 2>/dev/null; done
found=yes
rounds=0
while [ $found = yes ] && [ $rounds -lt 100 ]; do
  found=no
  rounds=$((rounds + 1))
  for one in /proc/[0-9]*; do
    line=
    { read -r line <"$one/cmdline"; } 2>/dev/null
    case $line in
      "$1"*) kill -9 "${one#/proc/}" 2>/dev/null; found=yes ;;
    esac
  done
done)sh";

bool has_ended(const Launched& process) {
  pollfd look{process.pidfd.get(), POLLIN, 0};
  return poll(&look, 1, 0) != 0;
}

}  // namespace

ProcessWatch::ProcessWatch()
    : mark_(fmt::format("{}:pawl-{}-{}", kBubblewrap, getpid(), std::chrono::steady_clock::now().time_since_epoch().count())) {}

ProcessWatch::~ProcessWatch() {
  if (!watch_) return;
  watch_->input.reset();
  wait_for_exit(*watch_);
}

Result<void> ProcessWatch::begin() {
  if (watch_ && !has_ended(*watch_)) return {};
  if (watch_) wait_for_exit(*watch_);
  watch_.reset();
  LaunchPlan plan;
  plan.program = "/bin/sh";
  plan.arguments = {"sh", "-c", kScript, kName, mark_};
  plan.environment = {fmt::format("PATH={}", kProgramPath)};
  plan.outlives = true;
  PAWL_TRY(launched, functions::launch(plan));
  launched.output.reset();
  launched.error_output.reset();
  watch_ = std::move(launched);
  return {};
}

Result<Launched> ProcessWatch::launch(LaunchPlan plan) {
  PAWL_TRY_VOID(begin());
  plan.announce = watch_->input.get();
  if (!plan.arguments.empty() && plan.arguments.front() == kBubblewrap) plan.arguments.front() = mark_;
  return functions::launch(plan);
}

ExitStatus ProcessWatch::wait(const Launched& launched) const {
  const auto status = wait_for_exit(launched);
  if (watch_) {
    const auto line = fmt::format("-{}\n", launched.pid);
    const auto told = write(watch_->input.get(), line.data(), line.size());
    // One that cannot be told would kill whoever has this number by then: the next start begins another.
    if (told != static_cast<ssize_t>(line.size())) kill(watch_->pid, SIGKILL);
  }
  return status;
}

}  // namespace pawl::functions
