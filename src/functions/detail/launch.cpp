#include "functions/detail/launch.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/assert.hpp"
#include "functions/detail/process.hpp"

// Runs on the parent's memory and never returns: a sanitizer's marks on its stack would stay behind.
#define PAWL_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

namespace pawl::functions {
namespace {

// ThreadSanitizer takes every clone for a fork and keeps books about it.
#if defined(__SANITIZE_THREAD__)
constexpr int kShareMemory = 0;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr int kShareMemory = 0;
#else
constexpr int kShareMemory = CLONE_VM;
#endif
#else
constexpr int kShareMemory = CLONE_VM;
#endif

constexpr int kNiceness = 5;  // the server's own threads go first
constexpr std::size_t kStackBytes = 64 * 1024;
constexpr std::size_t kMaxInherited = 29;

struct Failure {
  const char* step = nullptr;
  int error = 0;
};

// What the child sees of the parent's memory. It runs on it (CLONE_VM) while the parent's thread stands still.
struct ChildView {
  const char* program = nullptr;
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* working_directory = nullptr;
  std::array<int, 3> standard{};
  const int* inherited = nullptr;
  std::size_t inherited_count = 0;
  const std::pair<int, rlim_t>* limits = nullptr;
  std::size_t limit_count = 0;
  pid_t parent = -1;
  int report = -1;
  int ruleset = -1;
  sock_fprog filter{};
  bool drop_capabilities = false;
  int announce = -1;
  bool outlives = false;
  Failure* failure = nullptr;  // written by the child
};

[[nodiscard]] bool fail(ChildView& view, const char* step) {
  *view.failure = {step, errno};
  return false;
}

PAWL_IN_CHILD bool arrange_descriptors(ChildView& view) {
  // First all out of the way, then into place.
  constexpr int kAbove = kReportDescriptor + 1;
  std::array<int, 3 + kMaxInherited> moved{};
  const std::size_t count = 3 + view.inherited_count;
  for (std::size_t i = 0; i < count; ++i) {
    moved[i] = fcntl(i < 3 ? view.standard[i] : view.inherited[i - 3], F_DUPFD_CLOEXEC, kAbove);
    if (moved[i] < 0) return fail(view, "dup");
  }
  if (view.ruleset >= 0) view.ruleset = fcntl(view.ruleset, F_DUPFD_CLOEXEC, kAbove);
  if (view.report >= 0) view.report = fcntl(view.report, F_DUPFD_CLOEXEC, kAbove);
  for (std::size_t i = 0; i < count; ++i) {
    if (dup2(moved[i], static_cast<int>(i)) < 0) return fail(view, "dup2");
  }
  // Ours are close-on-exec; this is for those that some library forgot to mark.
  constexpr unsigned kCloseOnExec = 4;
  if (syscall(SYS_close_range, static_cast<unsigned>(count), ~0U, kCloseOnExec) != 0 && errno != ENOSYS) return fail(view, "close_range");
  if (view.report >= 0 && dup2(view.report, kReportDescriptor) < 0) return fail(view, "dup2");
  return true;
}

PAWL_IN_CHILD bool give_up_rights(ChildView& view) {
  if (view.drop_capabilities) {
    for (unsigned long capability = 0; capability <= 63; ++capability) {
      if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) break;
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> none{};
    if (syscall(SYS_capset, &header, none.data()) != 0) return fail(view, "capset");
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(view, "no_new_privs");
  if (view.ruleset >= 0 && syscall(SYS_landlock_restrict_self, view.ruleset, 0) != 0) return fail(view, "landlock_restrict_self");
  if (view.filter.len > 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &view.filter) != 0) return fail(view, "seccomp");
  return true;
}

// Before the descriptors are arranged: this one may have any number.
PAWL_IN_CHILD bool announce(ChildView& view) {
  std::array<char, 16> line{};
  std::size_t begin = line.size();
  line[--begin] = '\n';
  for (pid_t left = getpid(); left > 0; left /= 10) line[--begin] = static_cast<char>('0' + left % 10);
  line[--begin] = '+';
  const auto length = line.size() - begin;
  return write(view.announce, line.data() + begin, length) == static_cast<ssize_t>(length) || fail(view, "announce");
}

PAWL_IN_CHILD bool set_up(ChildView& view) {
  if (setsid() < 0) return fail(view, "setsid");
  if (view.announce >= 0 && !announce(view)) return false;
  if (!view.outlives) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return fail(view, "pdeathsig");
    // A server that was killed before this line does not die any more.
    if (getppid() != view.parent) _exit(127);
  }
  // Orphans of the program stay below it, where they are counted.
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return fail(view, "subreaper");
  if (!arrange_descriptors(view)) return false;
  for (std::size_t i = 0; i < view.limit_count; ++i) {
    const auto& [resource, value] = view.limits[i];
    const rlimit limit{value, value};
    // Lower than the machine's own limit is fine, higher is not ours to ask for.
    if (setrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0 && errno != EPERM) return fail(view, "setrlimit");
  }
  setpriority(PRIO_PROCESS, 0, kNiceness);
  umask(022);
  if (chdir(view.working_directory) != 0) return fail(view, "chdir to the working directory");
  return give_up_rights(view);
}

PAWL_IN_CHILD int child_main(void* raw) {
  auto& view = *static_cast<ChildView*>(raw);
  // The parent blocked all signals: no handler of ours may run on its memory. Handlers go, then the mask.
  // Straight to the kernel: the C library's (or a sanitizer's) own books about handlers are the parent's.
  constexpr std::array<char, 64> kDefaultAction{};
  for (int signal = 1; signal < NSIG; ++signal) syscall(SYS_rt_sigaction, signal, kDefaultAction.data(), nullptr, 8);
  if (set_up(view)) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execve(view.program, view.arguments, view.environment);
    static_cast<void>(fail(view, "execve"));
  }
  _exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Error(ErrorClass::unavailable, "process.start", fmt::format("no pipe can be made: {}", std::strerror(errno)));
  }
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

void make_non_blocking(const Fd& fd) { fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

// Runs child_main in a new process that shares our memory until it executes the program, as posix_spawn does: a plain fork would copy the
// page tables of the whole server.
pid_t clone_child(ChildView& view, int& pidfd, Failure& failure) {
  // Shared, so that the failure comes back where the rest of the memory is not.
  void* const memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return -1;
  view.failure = new (memory) Failure;
  sigset_t all;
  sigset_t previous;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &previous);
  char* const stack_top = static_cast<char*>(memory) + kStackBytes;
  const pid_t pid = clone(child_main, stack_top, kShareMemory | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &view, &pidfd);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  failure = *view.failure;
  munmap(memory, kStackBytes);
  errno = error;
  return pid;
}

}  // namespace

Result<Launched> launch(const LaunchPlan& plan) {
  PAWL_ASSERT(plan.inherited.size() <= kMaxInherited, "too many descriptors for a child");
  PAWL_ASSERT(!plan.report || plan.inherited.size() <= kReportDescriptor - 3, "the report's descriptor is taken");
  PAWL_TRY(input, make_pipe());
  PAWL_TRY(output, make_pipe());
  PAWL_TRY(error_output, make_pipe());
  Pipe report;
  if (plan.report) {
    PAWL_TRY(made, make_pipe());
    report = std::move(made);
  }
  const std::vector<char*> arguments = pointers(plan.arguments);
  const std::vector<char*> environment = pointers(plan.environment);

  ChildView view;
  view.program = plan.program.c_str();
  view.arguments = arguments.data();
  view.environment = environment.data();
  view.working_directory = plan.working_directory.empty() ? "/" : plan.working_directory.c_str();
  view.standard = {input.read.get(), output.write.get(), error_output.write.get()};
  view.inherited = plan.inherited.data();
  view.inherited_count = plan.inherited.size();
  view.limits = plan.limits.data();
  view.limit_count = plan.limits.size();
  view.parent = getpid();
  view.report = report.write.get();
  view.ruleset = plan.ruleset;
  view.filter = {static_cast<unsigned short>(plan.filter.size()), const_cast<sock_filter*>(plan.filter.data())};
  view.drop_capabilities = plan.drop_capabilities;
  view.announce = plan.announce;
  view.outlives = plan.outlives;

  int pidfd = -1;
  Failure failure;
  const pid_t pid = clone_child(view, pidfd, failure);
  if (pid < 0) return Error(ErrorClass::unavailable, "process.start", fmt::format("no process can be made: {}", std::strerror(errno)));
  Launched launched{pid, Fd(pidfd), std::move(input.write), std::move(output.read), std::move(error_output.read), std::move(report.read)};
  if (failure.step != nullptr) {
    waitpid(pid, nullptr, 0);
    if (plan.announce >= 0) {  // it had announced itself, and is gone: the number is somebody else's next
      const auto line = fmt::format("-{}\n", pid);
      static_cast<void>(!write(plan.announce, line.data(), line.size()));
    }
    return Error(ErrorClass::internal, "process.start",
                 fmt::format("{} cannot be started: {}: {}", plan.program, failure.step, std::strerror(failure.error)));
  }
  for (const Fd* end : {&launched.input, &launched.output, &launched.error_output, &launched.report}) {
    if (*end) make_non_blocking(*end);
  }
  return launched;
}

ExitStatus wait_for_exit(const Launched& launched) {
  int status = 0;
  while (waitpid(launched.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return {.signalled = true, .code = WTERMSIG(status)};
  return {.signalled = false, .code = WEXITSTATUS(status)};
}

}  // namespace pawl::functions
