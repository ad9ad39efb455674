#include "functions/detail/process_count.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>
#include <string_view>
#include <vector>

#include "functions/detail/fd.hpp"

namespace pawl::functions {
namespace {

void append_children(const char* path, std::vector<pid_t>& children) {
  const Fd fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd) return;
  // A page is some six hundred numbers: more than any limit worth having.
  std::array<char, 4096> text{};
  const ssize_t length = read(fd.get(), text.data(), text.size());
  if (length <= 0) return;
  std::string_view rest(text.data(), static_cast<std::size_t>(length));
  while (!rest.empty()) {
    pid_t child = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), child);
    if (error != std::errc()) return;
    children.push_back(child);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    while (rest.starts_with(' ')) rest.remove_prefix(1);
  }
}

}  // namespace

std::size_t count_processes(pid_t root, std::size_t limit) {
  std::vector<pid_t> found = {root};
  for (std::size_t i = 0; i < found.size() && found.size() < limit; ++i) {
    const std::string tasks = fmt::format("/proc/{}/task", found[i]);
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(tasks.c_str()), closedir);
    while (const dirent* task = folder ? readdir(folder.get()) : nullptr) {
      if (task->d_name[0] == '.') continue;
      append_children(fmt::format("{}/{}/children", tasks, task->d_name).c_str(), found);
    }
  }
  return found.size();
}

}  // namespace pawl::functions
