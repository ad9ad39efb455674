#include "functions/detail/process_runner.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "functions/detail/fd.hpp"
#include "functions/detail/landlock.hpp"
#include "functions/detail/remove_tree.hpp"
#include "functions/detail/sandbox.hpp"

namespace pawl::functions {
namespace {

using Ending = ProcessResult::Ending;
using testing::HasSubstr;

ProcessSpec shell(std::string command) {
  ProcessSpec spec;
  spec.write_roots = true;
  spec.command = [command = std::move(command)](const std::string&) { return std::vector<std::string>{"sh", "-c", command}; };
  return spec;
}

ProcessResult run(ProcessRunner& runner, ProcessSpec spec) {
  auto answer = std::make_shared<std::promise<ProcessResult>>();
  auto future = answer->get_future();
  runner.start(std::move(spec), [answer](ProcessResult result) { answer->set_value(std::move(result)); });
  return future.get();
}

class Sandbox : public testing::TestWithParam<SandboxMode> {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/pawl-test-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    ASSERT_EQ(mkdir(root().c_str(), 0755), 0);
    ASSERT_EQ(mkdir(outside().c_str(), 0755), 0);
    std::ofstream(outside() + "/secret") << "secret\n";
    options_.roots = {root()};
    options_.sandbox = GetParam();
    const auto works = choose_sandbox(options_);
    if (works.has_error()) GTEST_SKIP() << works.error().message;
  }
  void TearDown() override { remove_tree(folder_); }

  [[nodiscard]] std::string root() const { return folder_ + "/root"; }
  [[nodiscard]] std::string outside() const { return folder_ + "/outside"; }
  ProcessResult run_shell(const std::string& command) {
    ProcessRunner runner(options_);
    return run(runner, shell(command));
  }

  std::string folder_;
  FunctionsOptions options_;
};

INSTANTIATE_TEST_SUITE_P(F4, Sandbox, testing::Values(SandboxMode::bubblewrap, SandboxMode::landlock), [](const auto& one) {
  return one.param == SandboxMode::bubblewrap ? std::string("Bubblewrap") : std::string("Landlock");
});

// bubblewrap's options end with a NUL each: what follows one in a value would be options of the sandbox.
TEST_P(Sandbox, F4_NothingThatIsGivenBecomesAnOptionOfTheSandbox) {
  ProcessRunner runner(options_);
  const std::string evil = std::string("x") + '\0' + "--bind" + '\0' + outside() + '\0' + outside();
  const std::string look = "cat " + outside() + "/secret";
  const std::vector<std::pair<const char*, std::function<void(ProcessSpec&)>>> ways = {
      {"value",
       [&](ProcessSpec& spec) {
         spec.environment = {{"NAME", evil}};
       }},
      {"name",
       [&](ProcessSpec& spec) {
         spec.environment = {{evil, "x"}};
       }},
      {"folder", [&](ProcessSpec& spec) { spec.working_directory = root() + '\0' + evil; }},
      {"file",
       [&](ProcessSpec& spec) {
         spec.files = {{evil, "x"}};
       }},
      {"word", [&](ProcessSpec& spec) {
         spec.command = [&](const std::string&) { return std::vector<std::string>{"sh", "-c", look, evil}; };
       }}};
  for (const auto& [what, change] : ways) {
    ProcessSpec spec = shell(look);
    change(spec);
    const ProcessResult result = run(runner, std::move(spec));
    EXPECT_EQ(result.ending, Ending::not_started) << what;
    EXPECT_THAT(result.message, HasSubstr("contains a NUL")) << what;
    EXPECT_EQ(result.output, "") << what;
  }
}

TEST_P(Sandbox, GivesOutputErrorAndExitCode) {
  const ProcessResult result = run_shell("echo out; echo err >&2; exit 3");
  EXPECT_EQ(result.ending, Ending::exited) << result.message;
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.error_output, "err\n");
}

TEST_P(Sandbox, GoesWithTheLastThatIsToldOfAnEnd) {
  auto runner = std::make_shared<ProcessRunner>(options_);
  std::promise<void> alone;
  std::promise<void> gone;
  auto is_alone = alone.get_future();
  // Goes after what is captured behind it.
  std::shared_ptr<void> last(&gone, [&gone](void*) { gone.set_value(); });
  runner->start(shell("true"), [last = std::move(last), held = runner, &is_alone](const ProcessResult&) { is_alone.wait(); });
  runner.reset();
  alone.set_value();
  gone.get_future().wait();
}

TEST_P(Sandbox, FeedsLargeInputWhileOutputFlows) {
  ProcessRunner runner(options_);
  ProcessSpec spec = shell("cat");
  spec.input.assign(900'000, 'x');
  const ProcessResult result = run(runner, std::move(spec));
  EXPECT_EQ(result.output.size(), 900'000U);
}

TEST_P(Sandbox, InputThatNobodyReadsIsNoError) {
  ProcessRunner runner(options_);
  ProcessSpec spec = shell("true");
  spec.input.assign(900'000, 'x');
  EXPECT_EQ(run(runner, std::move(spec)).ending, Ending::exited);
}

TEST_P(Sandbox, StartsWithAnEnvironmentOfItsOwn) {
  ASSERT_EQ(setenv("PAWL_TEST_CANARY", "leaked", 1), 0);
  ProcessRunner runner(options_);
  ProcessSpec spec = shell("env; echo id=$GIVEN");
  spec.environment = {{"GIVEN", "yes"}, {"LANG", "de_DE"}};
  const ProcessResult result = run(runner, std::move(spec));
  EXPECT_THAT(result.output, HasSubstr("id=yes"));
  EXPECT_THAT(result.output, HasSubstr("LANG=de_DE"));
  EXPECT_THAT(result.output, testing::Not(HasSubstr("leaked")));
}

TEST_P(Sandbox, WorksInTheFirstRootAndWritesThere) {
  EXPECT_EQ(run_shell("pwd; echo hello > made; mkdir sub; mv made sub/").output, root() + "\n");
  std::ifstream made(root() + "/sub/made");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(made), {}), "hello\n");
}

TEST_P(Sandbox, ReadsButDoesNotWriteTheRootsUnlessItMay) {
  std::ofstream(root() + "/given") << "hello";
  ProcessRunner runner(options_);
  ProcessSpec spec = shell("cat given; echo hello > made");
  spec.write_roots = false;
  const ProcessResult result = run(runner, std::move(spec));
  EXPECT_EQ(result.output, "hello");
  EXPECT_NE(result.code, 0);
  EXPECT_NE(access((root() + "/made").c_str(), F_OK), 0);
}

TEST_P(Sandbox, CannotReadOrWriteOutside) {
  EXPECT_NE(run_shell("cat " + outside() + "/secret").code, 0);
  EXPECT_NE(run_shell("echo x > " + outside() + "/made").code, 0);
  EXPECT_NE(run_shell("echo x > /usr/made").code, 0);
  EXPECT_NE(run_shell("cat /etc/shadow").code, 0);
  EXPECT_NE(run_shell("cat /root/.bashrc").code, 0);
  EXPECT_NE(access((outside() + "/made").c_str(), F_OK), 0);
}

TEST_P(Sandbox, CannotChangeTheKernelsSettings) {
  // What stands there is written again, so that the test does no harm where the sandbox fails.
  const ProcessResult result = run_shell(
      "for f in core_pattern pid_max; do v=$(cat /proc/sys/kernel/$f 2>/dev/null) && "
      "(echo \"$v\" > /proc/sys/kernel/$f) 2>/dev/null && echo changed $f; done; true");
  EXPECT_EQ(result.ending, Ending::exited) << result.message;
  EXPECT_EQ(result.output, "");
}

TEST_P(Sandbox, CannotFillTheMemoryThroughItsDevices) {
  options_.max_scratch = 1U << 20U;
  const ProcessResult result =
      run_shell("for p in /dev/x /dev/shm/x; do head -c 3000000 /dev/zero > $p && echo filled $p; done 2>/dev/null; true");
  EXPECT_EQ(result.ending, Ending::exited) << result.message;
  EXPECT_EQ(result.output, "");
}

TEST_P(Sandbox, CannotLeaveThroughASymbolicLink) {
  ASSERT_EQ(symlink(outside().c_str(), (root() + "/link").c_str()), 0);
  EXPECT_NE(run_shell("cat link/secret").code, 0);
}

TEST_P(Sandbox, HasAPrivateTemporaryFolder) {
  const ProcessResult result = run_shell("echo x > $TMPDIR/mine && cat $TMPDIR/mine && ls $TMPDIR");
  EXPECT_EQ(result.code, 0) << result.error_output;
  EXPECT_NE(access("/tmp/mine", F_OK), 0);
}

TEST_P(Sandbox, HasNoNetwork) {
  // A listener of our own, so that a refusal can only be the sandbox's.
  const Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener.get(), 4), 0);
  socklen_t size = sizeof address;
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const std::string connect =
      "import socket; socket.create_connection(('127.0.0.1', " + std::to_string(ntohs(address.sin_port)) + "), 2); print('in')";
  EXPECT_NE(run_shell("python3 -c \"" + connect + "\"").code, 0);
  EXPECT_NE(run_shell("python3 -c \"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))\"").code,
            0);
  ProcessRunner runner(options_);
  ProcessSpec allowed = shell("python3 -c \"" + connect + "\"");
  allowed.network = true;
  const ProcessResult result = run(runner, std::move(allowed));
  EXPECT_EQ(result.output, "in\n") << result.error_output;
}

TEST_P(Sandbox, CannotSignalTheServer) { EXPECT_NE(run_shell("kill -0 " + std::to_string(getpid())).code, 0); }

TEST_P(Sandbox, CannotMakeNamespacesOrUseForbiddenCalls) {
  EXPECT_NE(run_shell("unshare -U true").code, 0);
  EXPECT_NE(run_shell("unshare -r mount -t tmpfs none /tmp").code, 0);
}

TEST_P(Sandbox, EndsWhenTheTimeIsUp) {
  ProcessRunner runner(options_);
  ProcessSpec spec = shell("sleep 60 & sleep 60");
  spec.timeout = Millis(200);
  EXPECT_EQ(run(runner, std::move(spec)).ending, Ending::timed_out);
}

TEST_P(Sandbox, EndsWhenTheOutputIsTooLarge) {
  options_.max_process_output = 10'000;
  const ProcessResult result = run_shell("yes");
  EXPECT_EQ(result.ending, Ending::output_limit);
  EXPECT_EQ(result.output.size(), 10'000U);
}

TEST_P(Sandbox, EndsWhenThereAreTooManyProcesses) {
  options_.max_subprocesses = 20;
  const ProcessResult result = run_shell("i=0; while [ $i -lt 100 ]; do sleep 30 & i=$((i+1)); done; wait");
  // Root is stopped by counting, others already by the kernel's limit.
  EXPECT_TRUE(result.ending == Ending::process_limit || result.code != 0 || !result.error_output.empty());
}

TEST_P(Sandbox, LimitsMemory) {
  options_.max_process_memory = 256U << 20U;
  const ProcessResult result = run_shell("python3 -c \"x = b'x' * (1 << 30)\"");
  EXPECT_THAT(result.error_output, HasSubstr("MemoryError"));
}

TEST_P(Sandbox, LimitsFileSize) {
  options_.max_process_file = 100'000;
  EXPECT_NE(run_shell("head -c 1000000 /dev/zero > big").code, 0);
  struct stat status {};
  ASSERT_EQ(stat((root() + "/big").c_str(), &status), 0);
  EXPECT_LE(status.st_size, 100'000);
}

// The pipe's write end is held by every process of the call, so its end tells that all are gone.
TEST_P(Sandbox, CancelKillsTheChildrenAsWell) {
  const std::string fifo = root() + "/alive";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  ProcessRunner runner(options_);
  auto answer = std::make_shared<std::promise<ProcessResult>>();
  auto future = answer->get_future();
  const auto id = runner.start(shell("exec 9> alive; (sleep 60; true) & echo x >&9; sleep 60"),
                               [answer](ProcessResult result) { answer->set_value(std::move(result)); });
  const Fd reader(open(fifo.c_str(), O_RDONLY | O_CLOEXEC));  // waits for the writer
  char byte = 0;
  ASSERT_EQ(read(reader.get(), &byte, 1), 1);
  runner.cancel(id);
  EXPECT_EQ(future.get().ending, Ending::cancelled);
  ASSERT_EQ(read(reader.get(), &byte, 1), 1);  // the line's end
  EXPECT_EQ(read(reader.get(), &byte, 1), 0);
}

TEST_P(Sandbox, EndKillsWhatWasLeftInTheBackground) {
  const std::string fifo = root() + "/alive";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  ProcessRunner runner(options_);
  auto answer = std::make_shared<std::promise<ProcessResult>>();
  auto future = answer->get_future();
  runner.start(shell("exec 9> alive; sleep 60 & exit 0"), [answer](ProcessResult result) { answer->set_value(std::move(result)); });
  const Fd reader(open(fifo.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(future.get().ending, Ending::exited);
  char byte = 0;
  EXPECT_EQ(read(reader.get(), &byte, 1), 0);
}

TEST_P(Sandbox, SaysThatAProgramIsMissing) {
  ProcessRunner runner(options_);
  ProcessSpec spec;
  spec.command = [](const std::string&) { return std::vector<std::string>{"no-such-program"}; };
  const ProcessResult result = run(runner, std::move(spec));
  EXPECT_EQ(result.ending, Ending::not_started);
  EXPECT_THAT(result.message, HasSubstr("no-such-program"));
}

TEST_P(Sandbox, RunsManyAtOnceInOrder) {
  options_.max_running_processes = 4;
  ProcessRunner runner(options_);
  std::vector<std::future<ProcessResult>> futures;
  for (int i = 0; i < 20; ++i) {
    auto answer = std::make_shared<std::promise<ProcessResult>>();
    futures.push_back(answer->get_future());
    runner.start(shell("echo " + std::to_string(i)), [answer](ProcessResult result) { answer->set_value(std::move(result)); });
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get().output, std::to_string(i) + "\n");
}

TEST_P(Sandbox, ThoseOfWhichFewMayRunHoldUpNobodyElse) {
  ProcessRunner runner(options_);
  std::mutex mutex;
  std::string order;
  std::promise<void> last;
  const auto begin = [&](const char* name, const char* command) {
    ProcessSpec spec = shell(command);
    spec.most_at_once = 1;
    return runner.start(std::move(spec), [&, name](const ProcessResult&) {
      const std::lock_guard lock(mutex);
      order += name;
      if (order.size() == 2) last.set_value();
    });
  };
  const auto first = begin("1", "tail -f /dev/null");
  begin("2", "true");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run(runner, shell("echo x")).output, "x\n");
  runner.cancel(first);
  last.get_future().wait();
  EXPECT_EQ(order, "12");
}

TEST_P(Sandbox, RunsNodeAndPython) {
  const ProcessResult python = run_shell("python3 -c 'import json, ssl, hashlib; print(json.dumps([1]))'");
  EXPECT_EQ(python.output, "[1]\n") << python.error_output;
  const ProcessResult node = run_shell("node -e 'console.log(JSON.stringify([1]))'");
  EXPECT_EQ(node.output, "[1]\n") << node.error_output << node.code;
}

TEST(SandboxAlone, HidesTheDataFolderBelowARoot) {
  std::string pattern = "/tmp/pawl-test-XXXXXX";
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  ASSERT_EQ(mkdir((pattern + "/data").c_str(), 0700), 0);
  std::ofstream(pattern + "/data/journal") << "x";
  FunctionsOptions options;
  options.roots = {pattern};
  options.hidden = {pattern + "/data"};
  options.sandbox = SandboxMode::landlock;
  EXPECT_EQ(choose_sandbox(options).error().code, "sandbox.unavailable");
  options.sandbox = SandboxMode::bubblewrap;
  if (choose_sandbox(options).has_value()) {
    ProcessRunner runner(options);
    EXPECT_EQ(run(runner, shell("ls data | wc -l; touch data/x")).output, "0\n");
  }
  EXPECT_NE(access((pattern + "/data/x").c_str(), F_OK), 0);
  remove_tree(pattern);
}

TEST(SandboxAlone, RunnerThatEndsAnswersWhatStillRuns) {
  FunctionsOptions options;
  options.sandbox = SandboxMode::waived;
  auto runner = std::make_unique<ProcessRunner>(options);
  auto answer = std::make_shared<std::promise<ProcessResult>>();
  auto future = answer->get_future();
  runner->start(shell("sleep 60"), [answer](ProcessResult result) { answer->set_value(std::move(result)); });
  runner.reset();
  EXPECT_EQ(future.get().ending, Ending::cancelled);
}

}  // namespace
}  // namespace pawl::functions
