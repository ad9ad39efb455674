#include "app/interrupts.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>

#include "base/assert.hpp"

namespace pawl::app {
namespace {

// A signal handler can reach nothing but statics.
std::atomic<int> wake_file{-1};
std::atomic<int> received{0};

void ring() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_file.load(), &one, sizeof one);
}

void on_signal(int number) {
  int none = 0;
  if (!received.compare_exchange_strong(none, number)) ::_exit(128 + number);
  ring();
}

void ignore_signal(int) {}

void install(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(number, &action, nullptr);
}

}  // namespace

Interrupts::Interrupts() {
  PAWL_ASSERT(wake_file == -1, "one Interrupts at a time");
  wake_file = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  PAWL_ASSERT(wake_file != -1, "an event descriptor must be available");
  received = 0;
  install(SIGINT, on_signal);
  install(SIGTERM, on_signal);
  install(SIGPIPE, ignore_signal);  // a reader that went away is an error of that write, not the end
}

Interrupts::~Interrupts() {
  install(SIGINT, SIG_DFL);
  install(SIGTERM, SIG_DFL);
  ::close(wake_file.exchange(-1));
}

void Interrupts::wait(std::optional<Millis> patience) {
  pollfd entry{wake_file, POLLIN, 0};
  ::poll(&entry, 1, patience ? static_cast<int>(patience->count()) : -1);
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_file, &count, sizeof count);
}

void Interrupts::wake() { ring(); }

int Interrupts::signal() const { return received; }

}  // namespace pawl::app
