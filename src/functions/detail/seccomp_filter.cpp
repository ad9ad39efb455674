#include "functions/detail/seccomp_filter.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>

namespace pawl::functions {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the sandbox knows the system calls of x86-64 and arm64 only"
#endif

// Newer than the headers of Debian 12.
constexpr std::uint32_t kFchmodat2 = 452;

constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr);
constexpr std::uint32_t kArch = offsetof(seccomp_data, arch);

// The low half of an argument: flags and families fit in it, on little-endian machines it comes first.
constexpr std::uint32_t argument(std::uint32_t index) { return static_cast<std::uint32_t>(offsetof(seccomp_data, args)) + index * 8; }

class Program {
 public:
  void statement(std::uint16_t code, std::uint32_t k) { code_.push_back({code, 0, 0, k}); }
  void jump(std::uint16_t code, std::uint32_t k, std::uint8_t on_true, std::uint8_t on_false) {
    code_.push_back({code, on_true, on_false, k});
  }
  void load(std::uint32_t offset) { statement(BPF_LD | BPF_W | BPF_ABS, offset); }
  void answer(int error) { statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)); }

  /// The number is loaded before and after.
  void deny(std::uint32_t number, int error = EPERM) {
    jump(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
    answer(error);
  }
  /// Denied where `argument & mask == value`.
  void deny_where(std::uint32_t number, std::uint32_t index, std::uint32_t mask, std::uint32_t value) {
    jump(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 5);
    load(argument(index));
    statement(BPF_ALU | BPF_AND | BPF_K, mask);
    jump(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    answer(EPERM);
    load(kNumber);
  }
  /// Denied where any of `bits` is set.
  void deny_bits(std::uint32_t number, std::uint32_t index, std::uint32_t bits) {
    jump(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4);
    load(argument(index));
    jump(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
    answer(EPERM);
    load(kNumber);
  }
  /// Denied unless the argument is one of `values`.
  void deny_unless(std::uint32_t number, std::uint32_t index, const std::vector<std::uint32_t>& values) {
    const auto count = static_cast<std::uint8_t>(values.size());
    jump(BPF_JMP | BPF_JEQ | BPF_K, number, 0, static_cast<std::uint8_t>(count + 3));
    load(argument(index));
    for (std::uint8_t i = 0; i < count; ++i) jump(BPF_JMP | BPF_JEQ | BPF_K, values[i], static_cast<std::uint8_t>(count - i), 0);
    answer(EPERM);
    load(kNumber);
  }
  [[nodiscard]] std::vector<sock_filter> take() { return std::move(code_); }

 private:
  std::vector<sock_filter> code_;
};

void deny_kernel_surface(Program& program) {
  for (const int number : {SYS_acct,
                           SYS_add_key,
                           SYS_bpf,
                           SYS_chroot,
                           SYS_clock_settime,
                           SYS_delete_module,
                           SYS_fanotify_init,
                           SYS_finit_module,
                           SYS_fsconfig,
                           SYS_fsmount,
                           SYS_fsopen,
                           SYS_fspick,
                           SYS_init_module,
                           SYS_io_uring_enter,
                           SYS_io_uring_register,
                           SYS_io_uring_setup,
                           SYS_kexec_file_load,
                           SYS_kexec_load,
                           SYS_keyctl,
                           SYS_lookup_dcookie,
                           SYS_mount,
                           SYS_mount_setattr,
                           SYS_move_mount,
                           SYS_name_to_handle_at,
                           SYS_open_by_handle_at,
                           SYS_open_tree,
                           SYS_perf_event_open,
                           SYS_pidfd_getfd,
                           SYS_pivot_root,
                           SYS_process_vm_readv,
                           SYS_process_vm_writev,
                           SYS_ptrace,
                           SYS_quotactl,
                           SYS_reboot,
                           SYS_request_key,
                           SYS_sethostname,
                           SYS_setdomainname,
                           SYS_setns,
                           SYS_settimeofday,
                           SYS_swapoff,
                           SYS_swapon,
                           SYS_syslog,
                           SYS_umount2,
                           SYS_unshare,
                           SYS_userfaultfd,
                           SYS_vhangup}) {
    program.deny(static_cast<std::uint32_t>(number));
  }
  // The C library falls back to clone, whose flags can be read.
  program.deny(SYS_clone3, ENOSYS);
  constexpr std::uint32_t kNamespaces =
      CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  program.deny_bits(SYS_clone, 0, kNamespaces);
  program.deny_where(SYS_ioctl, 1, UINT32_MAX, TIOCSTI);
}

void deny_what_landlock_leaves_open(Program& program, int landlock_version) {
  // The process group is what we kill at the end.
  for (const int number : {SYS_setsid, SYS_setpgid}) program.deny(static_cast<std::uint32_t>(number));
  for (const int number : {SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat, SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr,
                           SYS_lremovexattr, SYS_fremovexattr}) {
    program.deny(static_cast<std::uint32_t>(number));
  }
  program.deny(kFchmodat2);
#if defined(__x86_64__)
  for (const int number : {SYS_chmod, SYS_chown, SYS_lchown}) program.deny(static_cast<std::uint32_t>(number));
#endif
  if (landlock_version < 6) {
    for (const int number : {SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_send_signal}) {
      program.deny(static_cast<std::uint32_t>(number));
    }
  }
  if (landlock_version < 3) {
    program.deny(SYS_truncate);
    program.deny(SYS_openat2, ENOSYS);
    program.deny_where(SYS_openat, 2, O_TRUNC | O_ACCMODE, O_TRUNC | O_RDONLY);
#if defined(__x86_64__)
    program.deny_where(SYS_open, 1, O_TRUNC | O_ACCMODE, O_TRUNC | O_RDONLY);
#endif
  }
}

}  // namespace

std::vector<sock_filter> make_filter(const FilterOptions& options) {
  Program program;
  program.load(kArch);
  program.jump(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
  program.statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  program.load(kNumber);
#if defined(__x86_64__)
  // The x32 table has the same calls under other numbers.
  program.jump(BPF_JMP | BPF_JGE | BPF_K, 0x40000000U, 0, 1);
  program.answer(ENOSYS);
#endif
  deny_kernel_surface(program);
  if (options.alone) deny_what_landlock_leaves_open(program, options.landlock_version);
  // Named sockets of the machine (a container engine's, a message bus): bubblewrap hides them, Landlock does not.
  std::vector<std::uint32_t> families;
  if (!options.alone) families.push_back(AF_UNIX);
  if (options.network) families.insert(families.end(), {AF_INET, AF_INET6, AF_NETLINK});
  program.deny_unless(SYS_socket, 0, families);
  program.statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  return program.take();
}

}  // namespace pawl::functions
