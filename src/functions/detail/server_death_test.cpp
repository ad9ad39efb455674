// A server that is killed outright leaves no process behind, in whichever moment of a start it happens.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <string>
#include <vector>

#include "functions/detail/fd.hpp"
#include "functions/detail/process_runner.hpp"
#include "functions/detail/process_watch.hpp"
#include "functions/detail/sandbox.hpp"

namespace pawl::functions {
namespace {

constexpr const char* kMark = "PAWL_TEST_MARK";
constexpr int kAtOnce = 4;

ProcessSpec sleeping(const std::string& seconds) {
  ProcessSpec spec;
  spec.command = [seconds](const std::string&) { return std::vector<std::string>{"sleep", seconds}; };
  return spec;
}

/// The processes on this machine that have the word in their command line.
std::vector<pid_t> processes_with(const std::string& word) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "cmdline");
    std::ostringstream command;
    command << file.rdbuf();  // and not an iterator, which throws where the process has gone meanwhile
    if (command.str().find(word) != std::string::npos) found.push_back(static_cast<pid_t>(std::stol(name)));
  }
  return found;
}

// Not a test: what the test below starts as a program of its own, and kills.
TEST(ServerDeath, DISABLED_AServer) {
  const char* const mark = std::getenv(kMark);
  ASSERT_NE(mark, nullptr);
  ProcessRunner runner({});
  std::promise<void> first;
  runner.start(sleeping("0"), [&](const ProcessResult&) { first.set_value(); });
  first.get_future().wait();  // the sandbox has been found
  for (int i = 0; i < kAtOnce; ++i) runner.start(sleeping(mark), [](const ProcessResult&) {});
  ASSERT_EQ(write(STDERR_FILENO, "x", 1), 1);
  while (true) pause();
}

// proves: S4-M2
TEST(ServerDeath, S4M2_NothingIsLeftOfAServerThatIsKilledWhileItStartsProcesses) {
  if (choose_sandbox({}).has_error()) GTEST_SKIP() << "no sandbox works here";
  constexpr int kTimes = 40;
  constexpr std::chrono::microseconds kLongest{40'000};
  for (int i = 0; i < kTimes; ++i) {
    const std::string mark = std::to_string(86'400'000 + static_cast<long>(getpid()) % 100'000 * 100 + i);
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    const Fd told(ends[0]);
    Fd tells(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, tells.get(), STDERR_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    std::vector<std::string> words = {"/proc/self/exe", "--gtest_filter=ServerDeath.DISABLED_AServer", "--gtest_also_run_disabled_tests"};
    std::string variable = std::string(kMark) + "=" + mark;
    std::array<char*, 4> arguments{words[0].data(), words[1].data(), words[2].data(), nullptr};
    std::array<char*, 2> environment{variable.data(), nullptr};
    pid_t server = 0;
    ASSERT_EQ(posix_spawn(&server, "/proc/self/exe", &actions, nullptr, arguments.data(), environment.data()), 0);
    posix_spawn_file_actions_destroy(&actions);
    tells.reset();
    char byte = 0;
    const auto heard = read(told.get(), &byte, 1);
    const timespec moment{0, std::chrono::nanoseconds(kLongest * i / kTimes).count()};
    ppoll(nullptr, 0, &moment, nullptr);  // which one it is, is what this is about
    kill(server, SIGKILL);
    waitpid(server, nullptr, 0);
    ASSERT_EQ(heard, 1);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    auto left = processes_with(mark);
    while (!left.empty() && std::chrono::steady_clock::now() < until) {
      poll(nullptr, 0, 5);
      left = processes_with(mark);
    }
    EXPECT_TRUE(left.empty()) << left.size() << " processes live on, killed after " << (kLongest * i / kTimes).count() << " us";
    for (const pid_t each : left) kill(each, SIGKILL);
  }
}

// What nobody has told the watch of: one that is gone without a word (its line was lost) must not keep it from the others.
// proves: S4-M2
TEST(ProcessWatch, S4M2_AGroupThatIsGoneAlreadyKeepsNoneOfTheOthersAlive) {
  LaunchPlan plan;
  plan.environment = {std::string("PATH=") + kProgramPath};
  const auto start = [&](ProcessWatch& watch, const char* seconds) {
    plan.program = "/bin/sleep";
    plan.arguments = {"sleep", seconds};
    return watch.launch(plan).value();
  };
  Launched last;
  {
    ProcessWatch watch;
    for (int i = 0; i < 3; ++i) static_cast<void>(wait_for_exit(start(watch, "0")));  // and not by the watch's own `wait`
    last = start(watch, "86395");
    pollfd look{last.pidfd.get(), POLLIN, 0};
    EXPECT_EQ(poll(&look, 1, 0), 0) << "it runs";
  }
  pollfd look{last.pidfd.get(), POLLIN, 0};
  const bool has_ended = poll(&look, 1, 10'000) == 1;
  EXPECT_TRUE(has_ended);
  if (!has_ended) kill(-last.pid, SIGKILL);
  EXPECT_TRUE(wait_for_exit(last).signalled);
}

}  // namespace
}  // namespace pawl::functions
