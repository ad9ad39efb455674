/// Runs a fuzz target without libFuzzer, as a test: over its seeds, and over as many mutations of them as are asked for, always the same
/// ones. Usage: NAME_mutations SEED_FOLDER COUNT. A failure prints the input as a C string before the process ends.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kLongest = 4096;
std::string current;  // for the handler

void print_input(int number) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto put = [](std::string_view text) { [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size()); };
  put("the input was: \"");
  for (const char c : current) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      put({&c, 1});
    } else {
      put("\\x");
      put(kHex.substr(byte >> 4U, 1));
      put(kHex.substr(byte & 15U, 1));
    }
  }
  put("\"\n");
  ::signal(number, SIG_DFL);
  ::raise(number);
}

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string make() {
    std::string text = seeds_[next(seeds_.size())];
    for (std::size_t edits = 1 + next(6); edits > 0; --edits) edit(text);
    if (next(8) == 0) text.resize(next(text.size() + 1));
    if (text.size() > kLongest) text.resize(kLongest);
    return text;
  }

 private:
  std::size_t next(std::size_t below) {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state_ >> 33U) % std::max<std::size_t>(below, 1);
  }
  char byte() {
    constexpr std::string_view kSpecial("\0\t\r\n \"'*,-./0123456789:;=?@[\\]_{}~\x7f\x80\xc3\xff", 39);
    return next(2) == 0 ? kSpecial[next(kSpecial.size())] : static_cast<char>(next(256));
  }
  void edit(std::string& text) {
    const auto at = next(text.size() + 1);
    const auto length = 1 + next(next(4) == 0 ? 64 : 4);
    switch (next(6)) {
      case 0: text.insert(at, 1, byte()); break;
      case 1: text.erase(at, length); break;
      case 2: text.insert(at, text.substr(next(text.size() + 1), length)); break;  // again, elsewhere
      case 3: {
        const auto& other = seeds_[next(seeds_.size())];
        text.insert(at, other.substr(next(other.size() + 1), 1 + next(64)));
        break;
      }
      default:
        if (at < text.size()) text[at] = byte();
    }
  }

  std::vector<std::string> seeds_;
  std::uint64_t state_ = 20261127;
};

void run(std::string text) {
  current = std::move(text);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(current.data()), current.size());
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  std::vector<std::filesystem::path> files;
  for (const auto& each : std::filesystem::directory_iterator(arguments[1])) files.push_back(each.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (seeds.empty()) return 2;
  for (const int number : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS}) ::signal(number, print_input);
  for (const auto& seed : seeds) run(seed);
  Mutator mutator(std::move(seeds));
  const auto mutations = std::strtoul(arguments[2], nullptr, 10);
  for (unsigned long i = 0; i < mutations; ++i) run(mutator.make());
  std::printf("%lu mutations of %zu seeds\n", mutations, files.size());
  return 0;
}
