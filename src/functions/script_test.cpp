// `run.script` and the interpreters that wait for it.

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <set>
#include <span>
#include <sstream>
#include <thread>

#include "functions/detail/fd.hpp"
#include "functions/testing/bench.hpp"
#include "json/write.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

using testing::HasSubstr;

// Those that live: one that is being ended has no command line any more.
std::set<pid_t> children() {
  std::set<pid_t> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream list(task.path() / "children");
    for (pid_t child = 0; list >> child;) {
      std::ostringstream command;
      command << std::ifstream("/proc/" + std::to_string(child) + "/cmdline").rdbuf();
      const bool watches = command.str().find("pawl-watch") != std::string::npos;  // what watches over them
      if (!command.str().empty() && !watches) found.insert(child);
    }
  }
  return found;
}

// The runner does it by itself, soon; the limit only ends a test that fails.
template <class Condition>
bool soon(Condition condition) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

class Scripts : public testing::TestWithParam<const char*> {
 protected:
  static FunctionsOptions options(std::uint32_t warm, Millis idle = Millis(60'000)) {
    FunctionsOptions options;
    options.warm_processes = warm;
    options.warm_idle = idle;
    return options;
  }
  static json::Value arguments(std::string_view language, std::string_view code, std::string_view form = "all") {
    return json::Value::object({{"language", language}, {"code", code}, {"return", form}});
  }
  static std::string run(Bench& bench, const json::Value& arguments) {
    const auto outcome = bench.call("run.script", json::to_text(arguments));
    return json::to_text(outcome.ok() ? outcome.output : outcome.error);
  }
  static bool has_stock(std::size_t count) {
    return soon([&] { return children().size() == count; });
  }

  net::ScriptedOutbound outbound_;
};

INSTANTIATE_TEST_SUITE_P(F2, Scripts, testing::Values("js", "python"), [](const auto& one) { return std::string(one.param); });

TEST_P(Scripts, F2_AfterTheFirstOneAnInterpreterWaitsForTheNext) {
  const std::size_t before = children().size();
  Bench bench(outbound_, options(2));
  EXPECT_EQ(children().size(), before) << "nothing waits before anybody has called";
  run(bench, arguments(GetParam(), ""));
  const bool served = soon([&] {
    if (!has_stock(before + 2)) return false;
    const std::set<pid_t> waiting = children();
    run(bench, arguments(GetParam(), ""));
    if (!has_stock(before + 2)) return false;
    const std::set<pid_t> after = children();
    std::vector<pid_t> both;
    std::set_intersection(waiting.begin(), waiting.end(), after.begin(), after.end(), std::back_inserter(both));
    return both.size() == before + 1;
  });
  EXPECT_TRUE(served) << "one serves and is gone, the other one still waits";
}

TEST_P(Scripts, F2_InterpretersThatNobodyCallsForGo) {
  const std::size_t before = children().size();
  Bench bench(outbound_, options(2, Millis(1)));
  run(bench, arguments(GetParam(), ""));
  EXPECT_TRUE(has_stock(before));
}

TEST_P(Scripts, F2_NothingOfAScriptIsThereForTheNext) {
  const std::string_view leave = std::string_view(GetParam()) == "js"
                                     ? "globalThis.left = 1; process.env.LEFT = '1'; require('fs').writeFileSync('/tmp/left', 'x')"
                                     : "import builtins, os; builtins.left = 1; os.environ['LEFT'] = '1'; open('/tmp/left', 'w')";
  const std::string_view look = std::string_view(GetParam()) == "js"
                                    ? "console.log(typeof left, process.env.LEFT, require('fs').existsSync('/tmp/left'))"
                                    : "import os; print('left' in dir(__builtins__), os.environ.get('LEFT'), os.path.exists('/tmp/left'))";
  const std::string expected = std::string_view(GetParam()) == "js" ? "undefined undefined false" : "False None False";
  const std::size_t before = children().size();
  Bench bench(outbound_, options(1));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(run(bench, arguments(GetParam(), leave)), HasSubstr("\"code\":0"));
    ASSERT_TRUE(has_stock(before + 1));
    EXPECT_THAT(run(bench, arguments(GetParam(), look)), HasSubstr(expected));
    ASSERT_TRUE(has_stock(before + 1));
  }
}

// Both an interpreter of its own and one that waited: the same answers and the same limits.
TEST_P(Scripts, F2_WaitingChangesNoAnswer) {
  struct Case {
    const char* js;
    const char* python;
    std::vector<const char*> answers;  // parts of it
  };
  const Case cases[] = {
      {"console.log(1); console.error(2)",
       "import sys; print(1); print(2, file=sys.stderr)",
       {R"({"code":0,"stdout":"1\n","stderr":"2\n"})"}},
      {"process.exit(3)", "import sys; sys.exit(3)", {R"("code":3)"}},
      {"process.exitCode = 4", "import os; os._exit(4)", {R"("code":4)"}},
      {"console.error('no'); process.exit(1)", "import sys; sys.exit('no')", {R"("code":1)", "no"}},
      {"throw new Error('bad')", "raise ValueError('bad')", {R"("code":1)", "bad", "script."}},
      {"const a = ;", "a = = 1", {R"("code":1)", "SyntaxError", "script."}},
      {"process.kill(process.pid, 'SIGKILL')", "import os; os.kill(os.getpid(), 9)", {R"("code":137)"}},
      {"process.on('exit', (code) => { console.log('end', code); process.exitCode = 5 })",
       "import atexit; atexit.register(lambda: print('end 0', flush=True)); import sys; sys.exit(5)",
       {R"({"code":5,"stdout":"end 0\n","stderr":""})"}},
      {"setTimeout(() => console.log('late'), 20)",
       "import threading, time; threading.Thread(target=lambda: (time.sleep(0.02), print('late'))).start()",
       {R"("stdout":"late\n")"}},
      {"require('child_process').execSync('echo child', {stdio: 'inherit'}); console.log('parent')",
       "import os\nif os.fork():\n  os.wait(); print('parent')\nelse:\n  print('child')",
       {R"({"code":0,"stdout":"child\nparent\n")"}},
      {"console.log('x'.repeat(300000).length); process.stdout.write('y'.repeat(300000))",
       "import sys; print(300000); sys.stdout.write('y' * 300000)",
       {"300000\\ny", "yyy"}},
      // With and without a loader of modules a script is strict, waits, and tells its places alike.
      {"try { undeclared = 1 } catch { console.log(this === undefined, await 1) }", "print('true 1')", {R"("stdout":"true 1\n")"}},
      {"import 'node:fs'; try { undeclared = 1 } catch { console.log(this === undefined, await 1) }",
       "print('true 1')",
       {R"("stdout":"true 1\n")"}},
      {"\nthrow new Error('bad') // end", "\nraise ValueError('bad') # end", {R"("code":1)", "bad", "2"}},
      {"console.log(process.argv.length, import.meta.url.endsWith('/script.mjs'))",
       "import sys; print(len(sys.argv) + 1, __name__ == '__main__')",
       {"2 "}},
  };
  const bool js = std::string_view(GetParam()) == "js";
  const std::size_t before = children().size();
  Bench cold(outbound_, options(0));
  Bench warm(outbound_, options(1));
  for (const Case& one : cases) {
    const json::Value call = arguments(GetParam(), js ? one.js : one.python);
    const std::string answer = run(cold, call);
    for (const char* part : one.answers) EXPECT_THAT(answer, HasSubstr(part)) << json::to_text(call);
    run(warm, call);
    ASSERT_TRUE(has_stock(before + 1));
    EXPECT_EQ(run(warm, call), answer) << json::to_text(call);
  }
}

// What an interpreter writes as it ends is output like any other.
TEST_P(Scripts, F2_WhatIsWrittenAtTheVeryEndIsKept) {
  const std::vector<const char*> js = {
      "import { createWriteStream } from 'node:fs'; createWriteStream('/dev/stdout').write('kept')",
      "process.stdout.write('kept'); process.exit(0)",
      "import { promises } from 'node:fs'; promises.writeFile('/dev/stdout', 'kept')",
      "import { writeFile } from 'node:fs'; process.on('beforeExit', () => writeFile('/dev/stdout', 'kept', () => process.exit(0)))",
      "process.once('exit', () => process.stdout.write('kept'))",
      "process.on('exit', () => process.stdout.write('kept')); setTimeout(() => {}, 60000); process.exit(0)",
      "process.on('exit', () => process.stdout.write('kept')); throw new Error('no')",
      "import fs from 'node:fs'; process.on('exit', () => fs.write(1, 'kept', () => {}))",
  };
  const std::vector<const char*> python = {
      "import os; f = os.fdopen(1, 'w'); f.write('kept')",
      "f = open('/dev/stdout', 'w'); f.write('kept')",
      "import io, sys; out = io.TextIOWrapper(sys.stdout.detach()); out.write('kept')",
      "import io, sys; print('kept'); sys.stdout = io.StringIO()",
      "class Kept:\n  def __del__(self): print('kept')\nkept = Kept()",
      "class Kept:\n  def __del__(self): print('kept')\nkept = Kept(); kept.self = kept",
      "import sys\nclass Kept:\n  def __del__(self): print('kept')\nkept = Kept(); sys.exit(0)",
  };
  const bool is_js = std::string_view(GetParam()) == "js";
  Bench bench(outbound_, options(1));
  for (const char* code : is_js ? js : python) {
    const auto answer = run(bench, arguments(GetParam(), code));
    EXPECT_THAT(answer, testing::AnyOf(HasSubstr(R"("stdout":"kept")"), HasSubstr(R"("stdout":"kept\n")"))) << code;
  }
}

TEST_P(Scripts, F2_AFileThatAScriptLeavesOpenIsWritten) {
  const bool is_js = std::string_view(GetParam()) == "js";
  FunctionsOptions writable = options(1);
  writable.scripts_may_write_roots = true;
  Bench bench(outbound_, writable);
  const std::string size = "8000000";  // longer than a moment
  const std::string code =
      is_js ? "import fs from 'node:fs'; fs.write(fs.openSync('out.txt', 'w'), 'k'.repeat(" + size + "), () => {}); process.exit(0)"
            : "f = open('out.txt', 'w'); f.write('kept'); f.write('k' * (" + size + " - 4))";
  EXPECT_THAT(run(bench, arguments(GetParam(), code)), HasSubstr("\"code\":0"));
  EXPECT_EQ(std::to_string(std::filesystem::file_size(bench.root() + "/out.txt")), size);
}

// The end is told before the interpreter takes itself apart: what is left to be done comes first.
TEST_P(Scripts, F2_NothingThatAnInterpreterDoesAtItsEndIsLost) {
  struct End {
    const char* code;
    const char* answer;
  };
  static constexpr End kPython[] = {
      {"import atexit; atexit.register(print, 'bye')", R"("code":0,"stdout":"bye\n")"},
      {"class A:\n  def __del__(self): print('gone')\na = A()\nimport sys; sys.exit(7)", R"("code":7,"stdout":"gone\n")"},
      {"import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()",
       R"("code":0,"stdout":"late\n")"},
      {"import os\nif os.fork(): print(os.wait()[1])\nelse: print('copy'); raise SystemExit(3)", R"("code":0,"stdout":"copy\n768\n")"},
      {"import sys; sys.exit('no')", R"("code":1,"stdout":"","stderr":"no\n")"},
      {"import os; print('x', flush=True); os._exit(9)", R"("code":9,"stdout":"x\n")"},
      {"f = [open('/tmp/a', 'w')]; f.append(f); f[0].write('kept')\nimport atexit\natexit.register(lambda: "
       "print(open('/tmp/a').read()))\nf[0].flush()",
       R"("code":0,"stdout":"kept\n")"},
  };
  static constexpr End kJavascript[] = {
      {"process.on('exit', () => console.log('bye'))", R"("code":0,"stdout":"bye\n")"},
      {"process.on('beforeExit', () => { process.exitCode = 7; })", R"("code":7,"stdout":"")"},
      {"setTimeout(() => console.log('late'), 100)", R"("code":0,"stdout":"late\n")"},
  };
  Bench bench(outbound_, options(1));
  const bool is_js = std::string_view(GetParam()) == "js";
  for (const auto& [code, answer] : is_js ? std::span<const End>(kJavascript) : std::span<const End>(kPython)) {
    EXPECT_THAT(run(bench, arguments(GetParam(), code)), HasSubstr(answer)) << code;
  }
}

TEST_P(Scripts, F2_ProgramsOfAScriptAreGivenItsStandardDescriptorsAlone) {
  const bool is_js = std::string_view(GetParam()) == "js";
  Bench bench(outbound_, options(1));
  for (int i = 0; i < 2; ++i) {
    const auto answer =
        run(bench, arguments(GetParam(), is_js ? "require('child_process').execSync('ls -l /proc/self/fd', {stdio: 'inherit'})"
                                               : "import os; os.system('ls -l /proc/self/fd')"));
    EXPECT_THAT(answer, HasSubstr(" 2 -> "));
    EXPECT_THAT(answer, testing::Not(HasSubstr(" 15 -> "))) << answer;
    EXPECT_THAT(answer, testing::Not(HasSubstr(" 63 -> "))) << answer;
  }
}

TEST_P(Scripts, F2_TheEnvironmentComesWithTheCall) {
  const bool js = std::string_view(GetParam()) == "js";
  const std::size_t before = children().size();
  Bench bench(outbound_, options(1));
  json::Value call = arguments(GetParam(), js ? "console.log(process.env.GIVEN, process.env.TZ)"
                                              : "import os; print(os.environ['GIVEN'], os.environ.get('TZ', 'undefined'))");
  call.set("environment", json::Value::object({{"GIVEN", "a"}}));
  EXPECT_THAT(run(bench, call), HasSubstr("a undefined"));
  ASSERT_TRUE(has_stock(before + 1));
  EXPECT_THAT(run(bench, call), HasSubstr("a undefined"));
  ASSERT_TRUE(has_stock(before + 1));
  call.set("environment", json::Value::object({{"GIVEN", "b"}, {"TZ", "UTC"}}));
  EXPECT_THAT(run(bench, call), HasSubstr("b UTC"));
}

TEST_P(Scripts, F2_LimitsHoldForAnInterpreterThatWaited) {
  const bool js = std::string_view(GetParam()) == "js";
  const std::size_t before = children().size();
  FunctionsOptions limited = options(1);
  limited.max_process_output = 10'000;
  Bench bench(outbound_, limited);
  run(bench, arguments(GetParam(), ""));
  ASSERT_TRUE(has_stock(before + 1));
  EXPECT_THAT(run(bench, arguments(GetParam(), js ? "for (;;) console.log('yes')" : "while True: print('yes')")),
              HasSubstr("Too much output"));
  ASSERT_TRUE(has_stock(before + 1));
  auto [future, cancel] = bench.start(
      "run.script",
      bench.invocation(json::to_text(arguments(GetParam(), js ? "setInterval(() => {}, 1000)" : "import time; time.sleep(60)"))));
  cancel();
  EXPECT_THAT(json::to_text(future.get().error), HasSubstr("cancelled"));
  EXPECT_TRUE(has_stock(before + 1)) << "of the call nothing is left";
  limited.process_timeout = Millis(1500);
  Bench hurried(outbound_, limited);
  run(hurried, arguments(GetParam(), ""));
  ASSERT_TRUE(has_stock(before + 2));
  EXPECT_THAT(run(hurried, arguments(GetParam(), js ? "setInterval(() => {}, 1000)" : "import time; time.sleep(60)")),
              HasSubstr("timeout"));
}

// A server that is killed leaves none of them: they go with the thread that started them.
TEST_P(Scripts, F2_InterpretersThatWaitEndWithTheirRunner) {
  const std::size_t before = children().size();
  std::vector<Fd> waiting;
  {
    Bench bench(outbound_, options(2));
    run(bench, arguments(GetParam(), ""));
    ASSERT_TRUE(has_stock(before + 2));
    for (const pid_t child : children()) waiting.emplace_back(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  }
  for (const Fd& one : waiting) {
    pollfd look{one.get(), POLLIN, 0};
    EXPECT_EQ(poll(&look, 1, 10'000), 1);
  }
}

}  // namespace
}  // namespace pawl::functions
