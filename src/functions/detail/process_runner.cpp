#include "functions/detail/process_runner.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "functions/detail/process_count.hpp"
#include "functions/detail/process_stock.hpp"
#include "functions/detail/process_watch.hpp"
#include "functions/detail/remove_tree.hpp"
#include "functions/detail/sandbox.hpp"

namespace pawl::functions {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;
using Ending = ProcessResult::Ending;

constexpr Millis kCountInterval{10};  // how often subprocesses are counted
constexpr int kBeforeThem = -10;      // niceness of the thread that counts
// How long an answer has the machine for itself before an interpreter is started for a later call, where another one waits already.
constexpr Millis kCalm{25};

enum class Source : std::uint8_t { wake, exit, input, output, error_output, report };

struct Waiting {
  ProcessRunner::Id id = 0;
  ProcessSpec spec;
  ProcessRunner::Done done;
};

struct Running {
  Launched process;
  std::string scratch;
  std::string input;
  std::size_t input_written = 0;
  SteadyTime deadline{};
  bool contained = true;
  bool is_one_of_few = false;
  std::size_t max_subprocesses = 0;
  std::size_t max_output = 0;
  std::function<Said(std::string_view)> converse;
  bool said_all = true;   // standard input closes when `input` is written
  std::size_t heard = 0;  // bytes that `converse` was given
  std::optional<Ending> killed_for;
  ProcessResult result;
  ProcessRunner::Done done;
};

std::uint64_t tag(ProcessRunner::Id id, Source source) { return id * 8 + static_cast<std::uint64_t>(source); }

}  // namespace

struct ProcessRunner::Impl : std::enable_shared_from_this<Impl> {
  explicit Impl(FunctionsOptions functions_options) : options(std::move(functions_options)) {}

  const FunctionsOptions options;

  // Shared between callers and the thread.
  std::mutex mutex;
  std::deque<Waiting> arrived;
  std::vector<Id> cancelled;
  std::vector<Id> nudged;
  std::size_t waiting_total = 0;
  Id next_id = 1;
  bool stopping = false;
  std::thread thread;
  Fd wake;

  // The thread's own.
  Fd poll;
  std::optional<Result<SandboxKind>> sandbox;
  std::deque<Waiting> waiting;
  std::unordered_map<Id, Running> running;
  ProcessWatch watch_of_all;
  ProcessStock stock{options, watch_of_all};
  SteadyTime counted{};   // when subprocesses were counted last
  SteadyTime answered{};  // when a call was answered last

  void ring() const {
    const std::uint64_t one = 1;
    static_cast<void>(!write(wake.get(), &one, sizeof one));
  }

  void begin_thread() {  // under the mutex
    if (thread.joinable()) return;
    wake = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    poll = Fd(epoll_create1(EPOLL_CLOEXEC));
    PAWL_ASSERT(wake && poll, "no event descriptors are left");
    watch(wake, Source::wake, 0, EPOLLIN);
    thread = std::thread([self = shared_from_this()] {
      pthread_setname_np(pthread_self(), "pawl-processes");
      self->loop();
    });
  }

  void watch(const Fd& fd, Source source, Id id, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag(id, source);
    epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd.get(), &event);
  }

  void loop() {
    // A reader that goes away must not end the server.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    // For root the kernel limits no numbers: only who counts in time can stop processes that double. They start with a niceness of their
    // own.
    if (geteuid() == 0) setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kBeforeThem);
    while (take_requests()) {
      end_waiting();
      start_waiting();
      std::array<epoll_event, 64> events{};
      const int count = epoll_wait(poll.get(), events.data(), static_cast<int>(events.size()), next_timeout());
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)]);
      check_limits();
      if (sandbox && sandbox->has_value()) stock_up(std::chrono::steady_clock::now());
    }
    end_all();
  }

  [[nodiscard]] bool is_busy(SteadyTime now) const { return !running.empty() || now < answered + kCalm; }
  void stock_up(SteadyTime now) { stock.replenish(sandbox->value(), is_busy(now), now); }

  // False: stop.
  bool take_requests() {
    std::vector<Id> to_cancel;
    std::vector<Id> to_nudge;
    {
      const std::lock_guard lock(mutex);
      if (stopping) return false;
      for (Waiting& request : arrived) waiting.push_back(std::move(request));
      arrived.clear();
      to_cancel.swap(cancelled);
      to_nudge.swap(nudged);
    }
    for (const Id id : to_nudge) {
      if (const auto found = running.find(id); found != running.end()) say_more(found->second);
    }
    for (const Id id : to_cancel) cancel_one(id);
    return true;
  }

  void cancel_one(Id id) {
    if (const auto found = running.find(id); found != running.end()) return kill_for(found->second, Ending::cancelled);
    const auto queued = std::find_if(waiting.begin(), waiting.end(), [id](const Waiting& one) { return one.id == id; });
    if (queued == waiting.end()) return;
    const Done done = std::move(queued->done);
    waiting.erase(queued);
    left_queue();
    done({.ending = Ending::cancelled});
  }

  void end_waiting() {
    const SteadyTime now = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < waiting.size();) {
      if (now < waiting[i].spec.due.value_or(SteadyTime::max())) {
        ++i;
        continue;
      }
      const Done done = std::move(waiting[i].done);
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
      left_queue();
      done({.ending = Ending::timed_out});
    }
  }

  void left_queue() {
    const std::lock_guard lock(mutex);
    --waiting_total;
  }

  void start_waiting() {
    while (!waiting.empty() && running.size() < options.max_running_processes) {
      const auto few = std::count_if(running.begin(), running.end(), [](const auto& entry) { return entry.second.is_one_of_few; });
      const auto first = std::find_if(waiting.begin(), waiting.end(), [few](const Waiting& one) {
        return one.spec.most_at_once == 0 || few < static_cast<std::ptrdiff_t>(one.spec.most_at_once);
      });
      if (first == waiting.end()) return;
      Waiting next = std::move(*first);
      waiting.erase(first);
      left_queue();
      start_one(std::move(next));
    }
  }

  void start_one(Waiting request) {
    SandboxKind kind = SandboxKind::none;
    if (request.spec.contained) {
      if (!sandbox || (*sandbox).has_error()) sandbox = choose_sandbox(options);
      if (sandbox->has_error()) return request.done({.ending = Ending::refused, .message = sandbox->error().message});
      kind = sandbox->value();
    }
    if (request.spec.own_network && kind != SandboxKind::bubblewrap) {
      return request.done(
          {.ending = Ending::refused, .message = "this needs bubblewrap: nothing else gives a program a network of its own"});
    }
    auto started = obtain(kind, request.spec);
    if (started.has_error()) return request.done({.ending = Ending::not_started, .message = started.error().message});
    const Millis limit =
        request.spec.timeout.count() > 0 ? std::min(request.spec.timeout, options.process_timeout) : options.process_timeout;
    Running& process = running[request.id];
    process.process = std::move(started->process);
    process.scratch = std::move(started->scratch);
    process.input = std::move(request.spec.input);
    process.deadline = std::min(std::chrono::steady_clock::now() + limit, request.spec.due.value_or(SteadyTime::max()));
    process.contained = request.spec.contained;
    process.is_one_of_few = request.spec.most_at_once > 0;
    process.max_subprocesses = request.spec.max_subprocesses > 0 ? request.spec.max_subprocesses : options.max_subprocesses;
    process.max_output = request.spec.max_output > 0 ? request.spec.max_output : options.max_process_output;
    process.converse = std::move(request.spec.converse);
    process.said_all = !process.converse;
    process.done = std::move(request.done);
    watch(process.process.pidfd, Source::exit, request.id, EPOLLIN);
    watch(process.process.output, Source::output, request.id, EPOLLIN);
    watch(process.process.error_output, Source::error_output, request.id, EPOLLIN);
    // Who is talked with has nothing to be told most of the time, and its pipe would be ready all the same: told of once, when it is full.
    watch(process.process.input, Source::input, request.id, process.converse ? EPOLLOUT | EPOLLET : EPOLLOUT);
    if (process.process.report) watch(process.process.report, Source::report, request.id, EPOLLIN);
  }

  Result<ProcessStock::Started> obtain(SandboxKind kind, const ProcessSpec& spec) {
    if (!spec.kind.empty()) {
      if (auto waiting_one = stock.take(spec, std::chrono::steady_clock::now())) return std::move(*waiting_one);
    }
    PAWL_TRY(prepared, prepare(kind, spec, options));
    auto launched = watch_of_all.launch(prepared.launch);
    if (launched.has_value()) return ProcessStock::Started{std::move(launched).value(), std::move(prepared.scratch)};
    if (!prepared.scratch.empty()) remove_tree(prepared.scratch);
    return std::move(launched).error();
  }

  void handle(const epoll_event& event) {
    const auto source = static_cast<Source>(event.data.u64 % 8);
    if (source == Source::wake) {
      std::uint64_t count = 0;
      static_cast<void>(!read(wake.get(), &count, sizeof count));
      return;
    }
    const auto found = running.find(event.data.u64 / 8);
    if (found == running.end()) return;
    Running& process = found->second;
    switch (source) {
      case Source::input: return feed(process);
      case Source::output: return process.converse ? listen(process) : drain(process, process.process.output, process.result.output);
      case Source::error_output: return drain(process, process.process.error_output, process.result.error_output);
      case Source::report: return hear(found->first);
      case Source::exit: return finish(found->first);
      case Source::wake: break;
    }
  }

  static void feed(Running& process) {
    bool broken = false;
    while (process.process.input && process.input_written < process.input.size()) {
      const std::string_view rest = std::string_view(process.input).substr(process.input_written);
      const ssize_t written = write(process.process.input.get(), rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      broken = written < 0 && errno != EAGAIN;
      if (written <= 0) break;
      process.input_written += static_cast<std::size_t>(written);
    }
    // A program may leave its input unread: that is not an error.
    if (broken || (process.said_all && process.input_written == process.input.size())) process.process.input.reset();
  }

  static void listen(Running& process) {
    std::array<char, 16 * 1024> buffer{};
    while (process.process.output) {
      const ssize_t length = read(process.process.output.get(), buffer.data(), buffer.size());
      if (length < 0 && errno == EINTR) continue;
      if (length < 0) break;
      if (length == 0) return process.process.output.reset();
      process.heard += static_cast<std::size_t>(length);
      if (process.killed_for || process.said_all) continue;  // nobody listens any more
      if (process.heard > process.max_output) return kill_for(process, Ending::output_limit);
      hear_and_say(process, {buffer.data(), static_cast<std::size_t>(length)});
    }
    feed(process);
  }

  static void hear_and_say(Running& process, std::string_view piece) {
    Said said = process.converse(piece);
    process.input.erase(0, std::exchange(process.input_written, 0));
    process.input += said.input;
    process.said_all = said.ends;
    if (said.ends) process.deadline = std::min(process.deadline, std::chrono::steady_clock::now() + kFarewell);
  }

  static void say_more(Running& process) {
    if (!process.converse || process.killed_for || process.said_all) return;
    hear_and_say(process, {});
    feed(process);
  }

  static void drain(Running& process, Fd& from, std::string& to, std::size_t most = SIZE_MAX) {
    std::array<char, 16 * 1024> buffer{};
    while (from && most > 0) {
      const ssize_t length = read(from.get(), buffer.data(), std::min(buffer.size(), most));
      if (length < 0 && errno == EINTR) continue;
      if (length < 0) return;
      if (length == 0) return from.reset();
      most -= static_cast<std::size_t>(length);
      if (process.killed_for) continue;  // what comes after the end was decided is thrown away
      to.append(buffer.data(), static_cast<std::size_t>(length));
      if (to.size() > process.max_output) {
        to.resize(process.max_output);
        kill_for(process, Ending::output_limit);
      }
    }
  }

  static void kill_for(Running& process, Ending reason) {
    if (!process.killed_for) process.killed_for = reason;
    // The group's leader is ours to reap, so the number cannot belong to anybody else yet.
    kill(-process.process.pid, SIGKILL);
  }

  // The main process has ended; what it left behind goes too.
  void finish(Id id) {
    Running process = leave(id);
    kill(-process.process.pid, SIGKILL);
    const ExitStatus end = watch_of_all.wait(process.process);
    if (!process.scratch.empty()) remove_tree(process.scratch);
    answer(process, end);
  }

  // The main process has said how it ends: nobody waits until it has, nor for the kernel to take apart all that it held.
  void hear(Id id) {
    Running& running_one = running.at(id);
    unsigned char code = 0;
    const ssize_t length = read(running_one.process.report.get(), &code, 1);
    if (length < 0) return;
    if (length == 0) return running_one.process.report.reset();
    Running process = leave(id);
    answer(process, {.signalled = false, .code = code});
    kill(-process.process.pid, SIGKILL);
    watch_of_all.wait(process.process);
    if (!process.scratch.empty()) remove_tree(process.scratch);
  }

  Running leave(Id id) {
    const auto found = running.find(id);
    Running process = std::move(found->second);
    running.erase(found);
    return process;
  }

  /// What is in the pipe now. What the process has left behind may go on to write for ever: nobody waits for that, and it fails no call.
  static std::size_t waiting_in(const Fd& from) {
    int bytes = 0;
    return from && ioctl(from.get(), FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
  }

  void answer(Running& process, ExitStatus end) {
    process.converse ? listen(process) : drain(process, process.process.output, process.result.output, waiting_in(process.process.output));
    drain(process, process.process.error_output, process.result.error_output, waiting_in(process.process.error_output));
    process.result.ending = process.killed_for ? *process.killed_for : end.signalled ? Ending::signalled : Ending::exited;
    process.result.code = end.code;
    process.done(std::move(process.result));
    answered = std::chrono::steady_clock::now();
  }

  [[nodiscard]] int next_timeout() const {
    const SteadyTime now = std::chrono::steady_clock::now();
    SteadyTime next = stock.next(is_busy(now), now);
    if (running.empty() && is_busy(now)) next = std::min(next, answered + kCalm);
    if (running.empty() && next == SteadyTime::max()) return -1;
    const bool counting = std::any_of(running.begin(), running.end(), [](const auto& entry) { return entry.second.contained; });
    next = std::min(next, counting ? std::max(now, counted + kCountInterval) : now + std::chrono::hours(1));
    for (const auto& [id, process] : running) next = std::min(next, process.deadline);
    for (const Waiting& request : waiting) next = std::min(next, request.spec.due.value_or(SteadyTime::max()));
    const auto wait = std::chrono::ceil<Millis>(next - now);
    return static_cast<int>(std::max<std::int64_t>(wait.count(), 0));
  }

  void check_limits() {
    const SteadyTime now = std::chrono::steady_clock::now();
    const bool counts = now - counted >= kCountInterval;  // not for each event: a small script is over before it would matter
    if (counts) counted = now;
    for (auto& [id, process] : running) {
      if (now >= process.deadline) kill_for(process, Ending::timed_out);
      if (!counts || !process.contained || process.killed_for) continue;
      if (count_processes(process.process.pid, process.max_subprocesses + 3) > process.max_subprocesses + 2)
        kill_for(process, Ending::process_limit);
    }
  }

  void end_all() {
    for (auto& [id, process] : running) kill_for(process, Ending::cancelled);
    while (!running.empty()) finish(running.begin()->first);
    stock.end_all();
    const std::lock_guard lock(mutex);
    for (Waiting& request : arrived) waiting.push_back(std::move(request));
    for (const Waiting& request : waiting) request.done({.ending = Ending::cancelled});
  }
};

ProcessRunner::ProcessRunner(FunctionsOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {}

ProcessRunner::~ProcessRunner() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    if (!impl_->thread.joinable()) return;
    impl_->ring();
  }
  // What is told of an end may hold the last of the functions, and with them this: then it is the thread itself that comes here.
  if (impl_->thread.get_id() == std::this_thread::get_id()) {
    impl_->thread.detach();
  } else {
    impl_->thread.join();
  }
}

ProcessRunner::Id ProcessRunner::start(ProcessSpec spec, Done done) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->stopping && impl_->waiting_total < impl_->options.max_waiting_processes) {
      impl_->begin_thread();
      const Id id = impl_->next_id++;
      ++impl_->waiting_total;
      impl_->arrived.push_back({id, std::move(spec), std::move(done)});
      impl_->ring();
      return id;
    }
  }
  done({.ending = Ending::overloaded, .message = "too many processes are waiting to be started"});
  return 0;
}

void ProcessRunner::cancel(Id id) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->stopping || !impl_->thread.joinable()) return;
  impl_->cancelled.push_back(id);
  impl_->ring();
}

void ProcessRunner::nudge(Id id) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->stopping || !impl_->thread.joinable()) return;
  impl_->nudged.push_back(id);
  impl_->ring();
}

}  // namespace pawl::functions
