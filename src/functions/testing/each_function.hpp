/// For tests: what must hold for every function that is registered. A table has a row for each of them, or says why it has none.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "functions/testing/bench.hpp"
#include "functions/testing/loopback.hpp"
#include "json/write.hpp"

namespace pawl::functions {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr Millis kTime{200};  ///< that calls may take
constexpr Millis kLate{200};  ///< and how much longer their answer may
constexpr int kTries = 5;
constexpr std::chrono::seconds kPatience{30};  ///< what fails would take for ever

/// How long the machine takes now for what an end needs besides: a timer, turns between threads, the start and the end of a process. On a
/// quiet machine a few milliseconds. A call is held against 200 ms more than that, measured in the same moment, so that the test says
/// something about the function and not about who else is at work.
class Control {
 public:
  explicit Control(SteadyTime due) : thread_([this, due] { run(due); }) {}
  ~Control() {
    if (thread_.joinable()) thread_.join();
  }
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;
  [[nodiscard]] Millis lateness() {
    thread_.join();
    return lateness_;
  }

 private:
  void run(SteadyTime due) {
    std::mutex mutex;
    std::condition_variable turned;
    int turn = 0;
    {
      std::unique_lock lock(mutex);
      turned.wait_until(lock, due, [] { return false; });
    }
    constexpr int kTurns = 8;
    std::thread other([&] {
      for (int i = 1; i < kTurns; i += 2) {
        std::unique_lock lock(mutex);
        turned.wait(lock, [&] { return turn == i; });
        ++turn;
        turned.notify_all();
      }
    });
    for (int i = 0; i < kTurns; i += 2) {
      std::unique_lock lock(mutex);
      turned.wait(lock, [&] { return turn == i; });
      ++turn;
      turned.notify_all();
    }
    other.join();
    std::string program = "/bin/true";
    char* arguments[] = {program.data(), nullptr};
    pid_t child = 0;
    if (posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, arguments + 1) == 0) waitpid(child, nullptr, 0);
    lateness_ = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - due);
  }

  Millis lateness_{0};
  std::thread thread_;
};

/// Why functions have no row in a table.
using Reasons = std::map<std::string, std::string>;

/// Every function is in the table or says why it is not, and nothing else is in either.
template <class Rows>
void expect_all_of(const engine::FunctionRegistry& registry, const Rows& rows, const Reasons& reasons) {
  std::set<std::string> named;
  for (const auto& row : rows) named.insert(row.function);
  for (const engine::Function* function : registry.all()) {
    const auto& name = function->info().name;
    EXPECT_NE(named.contains(name), reasons.contains(name)) << name << ": a row for it, or the reason why there is none";
  }
  EXPECT_EQ(named.size() + reasons.size(), registry.all().size()) << "a row of a function that is not registered";
}

/// A call that would take much longer than `kTime`.
struct Slow {
  std::string function;
  std::string arguments;    ///< PORT: of a server that takes the connection and says nothing; TIME: of the call; NUMBER: another each time
  bool has_timeout = true;  ///< takes a time of its own; else the task's `timeout` ends it, by which the engine cancels
  /// By what is seen that it is in the middle: part of the command line of one of its processes. Empty: that it has connected.
  std::string process{};
  bool computes = false;  ///< it does neither: that it has not ended
};

inline std::string replaced(std::string text, std::string_view what, const std::string& with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) text.replace(at, what.size(), with);
  return text;
}
inline std::string arguments_of(const Slow& call, const std::string& port, const std::string& time) {
  static int calls = 0;
  return replaced(replaced(replaced(call.arguments, "PORT", port), "TIME", time), "NUMBER", std::to_string(++calls));
}

/// A process below this one. The number alone may belong to another one later.
struct Child {
  pid_t pid = 0;
  std::string began;
  std::string command;
};

inline std::string file_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();  // and not an iterator, which throws where the process has gone meanwhile
  return text.str();
}
/// The state of a process and when it began; empty: there is none.
inline std::pair<std::string, std::string> state_of(pid_t pid) {
  const auto stat = file_text("/proc/" + std::to_string(pid) + "/stat");
  const auto end = stat.rfind(')');
  if (end == std::string::npos) return {};
  std::istringstream words(stat.substr(end + 1));
  std::vector<std::string> all{std::istream_iterator<std::string>(words), {}};
  constexpr std::size_t kBegan = 19;  // 22 in proc(5), whose first two are before the bracket
  return all.size() > kBegan ? std::pair(all[0], all[kBegan]) : std::pair<std::string, std::string>();
}
inline bool is_there(const Child& child) {
  const auto [state, began] = state_of(child.pid);
  return began == child.began && state != "Z" && state != "X";
}
/// All that run below a process, also within other namespaces, but for what watches over them.
inline std::vector<Child> children_of(pid_t root) {
  std::vector<Child> found;
  std::vector<pid_t> parents = {root};
  for (std::size_t i = 0; i < parents.size(); ++i) {
    const auto tasks = "/proc/" + std::to_string(parents[i]) + "/task";
    std::error_code gone;
    for (std::filesystem::directory_iterator task(tasks, gone), end; !gone && task != end; task.increment(gone)) {
      std::istringstream numbers(file_text(task->path().string() + "/children"));
      for (pid_t pid = 0; numbers >> pid;) {
        parents.push_back(pid);
        const auto began = state_of(pid).second;
        auto command = file_text("/proc/" + std::to_string(pid) + "/cmdline");
        std::replace(command.begin(), command.end(), '\0', ' ');
        if (!began.empty() && command.find("pawl-watch") == std::string::npos) found.push_back({pid, began, std::move(command)});
      }
    }
  }
  return found;
}

/// Looks again and again until it holds; false: it does not within `kPatience`.
template <class Condition>
[[nodiscard]] bool comes_true(Condition&& condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    poll(nullptr, 0, 2);
  }
  return true;
}

/// `bench`: starts a call, as `Bench` does.
/// Ends with an error of kind `timeout`, or when it is cancelled because its time is up, at most 200 ms late.
template <class Place>
void expect_end_after_its_time(Place& bench, const Loopback& silent, const Slow& slow) {
  Millis late{0};
  Millis control{0};
  for (int n = 0; n < kTries; ++n) {
    const auto due = std::chrono::steady_clock::now() + kTime;
    Control timer(due);
    auto [future, cancel] = bench.start(slow.function, bench.invocation(arguments_of(slow, silent.port(), "0.2")));
    if (!slow.has_timeout) {
      future.wait_until(due);
      if (cancel) cancel();
    }
    ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready) << slow.function;
    late = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - due);
    control = timer.lateness();
    const auto outcome = future.get();
    const auto text = json::to_text(outcome.error);
    ASSERT_FALSE(outcome.ok()) << slow.function << json::to_text(outcome.output);
    if (slow.has_timeout) {
      ASSERT_NE(text.find("timeout"), std::string::npos) << slow.function << text;
    }
    if (late <= kLate + 2 * control) break;
  }
  EXPECT_LE(late, kLate + 2 * control) << slow.function << ": the machine itself was " << control.count() << " ms late";
}

/// Cancelled in the middle it answers within 200 ms, with an error; nothing of it is left, neither a process nor a connection; and another
/// cancel, before or after the end, does nothing.
template <class Place>
void expect_end_when_cancelled(Place& bench, const Loopback& silent, const Slow& slow) {
  Millis late{0};
  Millis control{0};
  for (int n = 0; n < kTries; ++n) {
    const int before = silent.connections();
    auto [future, cancel] = bench.start(slow.function, bench.invocation(arguments_of(slow, silent.port(), "60")));
    ASSERT_TRUE(cancel) << slow.function << ": there is no way to cancel it";
    if (slow.computes) {
      ASSERT_EQ(future.wait_for(kTime), std::future_status::timeout) << slow.function << ": it is not slow";
    } else {
      ASSERT_TRUE(comes_true([&, &running = future] {
        if (running.wait_for(std::chrono::seconds(0)) == std::future_status::ready) return true;
        if (slow.process.empty()) return silent.connections() > before;
        for (const Child& child : children_of(getpid())) {
          if (child.command.find(slow.process) != std::string::npos) return true;
        }
        return false;
      })) << slow.function;
      ASSERT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::timeout)
          << slow.function << ": it is not slow: " << json::to_text(future.get().error);
    }
    const auto children = children_of(getpid());
    const auto asked = std::chrono::steady_clock::now();
    Control timer(asked);
    cancel();
    cancel();
    ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready) << slow.function;
    late = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - asked);
    control = timer.lateness();
    const auto outcome = future.get();
    ASSERT_FALSE(outcome.ok()) << slow.function << json::to_text(outcome.output);
    EXPECT_EQ(json::to_text(outcome.error).find("timeout"), std::string::npos) << slow.function << json::to_text(outcome.error);
    cancel();
    EXPECT_TRUE(comes_true([&] { return silent.open() == 0; })) << slow.function << ": a connection is left";
    for (const Child& child : children) {
      EXPECT_TRUE(comes_true([&] { return !is_there(child); })) << slow.function << ": a process is left: " << child.command;
    }
    if (late <= kLate + 2 * control) break;
  }
  EXPECT_LE(late, kLate + 2 * control) << slow.function << ": the machine itself was " << control.count() << " ms late";
}

/// A call whose output is more than is allowed.
struct Much {
  std::string function;
  std::string arguments;
  std::string says;   ///< part of its error, or of the output that was cut
  bool cuts = false;  ///< a part comes, and the output says that it is one
};

/// The most memory that this process has held since `forget_peak`, in bytes.
inline void forget_peak() { std::ofstream("/proc/self/clear_refs") << 5; }
inline std::size_t status_bytes(std::string_view name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::stoull(line.substr(name.size() + 1)) * 1024;
  }
  return 0;
}

/// It ends, says why, and needs no more than `most` bytes on the way; no process of it is left.
template <class Place>
void expect_bounded_output(Place& bench, const Much& much, std::size_t most) {
  forget_peak();
  const auto before = status_bytes("VmRSS");
  auto [future, cancel] = bench.start(much.function, bench.invocation(much.arguments));
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready) << much.function << much.arguments;
  const auto outcome = future.get();
  const auto peak = status_bytes("VmHWM");
  EXPECT_LE(peak - std::min(peak, before), most) << much.function << much.arguments;
  EXPECT_EQ(outcome.ok(), much.cuts) << much.function << much.arguments << json::to_text(outcome.output).substr(0, 500);
  const auto text = json::to_text(outcome.ok() ? outcome.output : outcome.error);
  EXPECT_NE(text.find(much.says), std::string::npos) << much.function << much.arguments << text.substr(0, 1000);
  EXPECT_TRUE(comes_true([] { return children_of(getpid()).empty(); })) << much.function << ": a process is left";
}

}  // namespace pawl::functions
