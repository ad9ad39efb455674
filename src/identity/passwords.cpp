#include "identity/passwords.hpp"

#include <algorithm>
#include <array>

#include "base/utf8.hpp"

namespace pawl::identity {
namespace {

// The commonest ones of ten characters and more, and the words that most others are made of: `password` and digits behind it is no
// better than `password`. In lower case.
constexpr std::array kCommon = std::to_array<std::string_view>({
    "1234567890", "12345678910", "123456789a",  "0123456789",    "0987654321", "1q2w3e4r5t",   "1q2w3e4r5t6y", "1qaz2wsx3edc",
    "q1w2e3r4t5", "qwertyuiop",  "qwerty12345", "qwerty123456",  "asdfghjkl1", "zaq12wsxcde3", "abcdefghij",   "abcdefghijk",
    "password",   "passwort",    "passw0rd",    "p@ssw0rd",      "p@ssword",   "letmein",      "welcome",      "iloveyou",
    "changeme",   "change-me",   "change_me",   "administrator", "admin",      "qwerty",       "qwertz",       "azerty",
    "sunshine",   "princess",    "football",    "baseball",      "basketball", "superman",     "batman",       "dragon",
    "monkey",     "master",      "trustno1",    "starwars",      "michael",    "jennifer",     "whatever",     "liverpool",
    "chocolate",  "butterfly",   "computer",    "internet",      "secret",     "default",      "testtest",     "mustang",
});

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

/// Characters of UTF-8, or nothing where the text is not UTF-8.
std::optional<std::size_t> characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) {
    const auto length = utf8_length(text);
    if (length == 0) return std::nullopt;
    text.remove_prefix(length);
  }
  return count;
}

/// What is left when digits and marks at both ends are taken away: `!password2024` gives `password`.
std::string_view core_of(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; };
  while (!text.empty() && !is_letter(text.back())) text.remove_suffix(1);
  while (!text.empty() && !is_letter(text.front())) text.remove_prefix(1);
  return text;
}

bool is_common(const std::string& password) {
  const auto core = core_of(password);
  return std::any_of(kCommon.begin(), kCommon.end(), [&](std::string_view word) { return password == word || core == word; });
}

/// A piece over and over: `aaaaaaaaaa`, `abcabcabcabc`, `passwordpassword`.
bool is_repetitive(std::string_view password) {
  for (std::size_t period = 1; period <= password.size() / 2; ++period) {
    if (password.substr(period) == password.substr(0, password.size() - period)) return true;
  }
  return false;
}

Error busy() {
  return {ErrorClass::unavailable, "auth.busy", "Too many people are signing in at this moment; try again in a few seconds."};
}

}  // namespace

std::optional<std::string> password_weakness(std::string_view password, std::string_view email) {
  if (password.size() > kMaxPasswordBytes) return "A password has at most 1024 bytes.";
  const auto length = characters(password);
  if (!length || password.find('\0') != std::string_view::npos) return "A password is text in UTF-8.";
  if (*length < kMinPasswordCharacters) return "A password needs at least 10 characters.";
  const auto small = lower(password);
  const auto address = lower(email);
  const auto local = address.substr(0, address.find('@'));
  if (small == address || small == local || (local.size() >= 4 && core_of(small) == core_of(local))) {
    return "The password must not be the e-mail address.";
  }
  if (is_common(small) || is_repetitive(small)) return "This password is among the first that others would try.";
  return std::nullopt;
}

Result<void> check_password(std::string_view password, std::string_view email, std::string_view pointer) {
  const auto weakness = password_weakness(password, email);
  if (!weakness) return {};
  Finding finding;
  finding.pointer = std::string(pointer);
  finding.message = *weakness;
  finding.rule = "password";
  return Error(ErrorClass::unprocessable, "auth.weak_password", *weakness, {std::move(finding)});
}

/// A place among those that hash right now, given back at the end.
class PasswordHasher::Turn {
 public:
  explicit Turn(PasswordHasher& hasher) : hasher_(hasher), taken_(hasher.take_turn()) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (taken_) hasher_.give_turn();
  }
  [[nodiscard]] bool taken() const { return taken_; }

 private:
  PasswordHasher& hasher_;
  bool taken_;
};

PasswordHasher::PasswordHasher(const PasswordHasherOptions& options) : options_(options), nobody_(crypto::hash_of_nobody(options.cost)) {}

bool PasswordHasher::take_turn() {
  std::unique_lock lock(mutex_);
  if (running_ >= options_.parallel) {
    if (waiting_ >= options_.max_waiting) {
      ++statistics_.refused;
      return false;
    }
    ++waiting_;
    free_.wait(lock, [this] { return running_ < options_.parallel; });
    --waiting_;
  }
  ++running_;
  ++statistics_.hashes;
  return true;
}

void PasswordHasher::give_turn() {
  {
    const std::lock_guard lock(mutex_);
    --running_;
  }
  free_.notify_one();
}

Result<std::string> PasswordHasher::hash(std::string_view password) {
  const Turn turn(*this);
  if (!turn.taken()) return busy();
  auto made = crypto::hash_password(password, options_.cost);
  if (!made) return Error(ErrorClass::unavailable, "auth.no_memory", "The server has no memory for a password right now; try again.");
  return std::move(*made);
}

Result<bool> PasswordHasher::verify(const std::optional<std::string>& hash, std::string_view password) {
  const Turn turn(*this);
  if (!turn.taken()) return busy();
  // Longer ones are nobody's password; the work is done all the same, on as much as is allowed.
  const bool right = crypto::verify_password(hash ? *hash : nobody_, password.substr(0, kMaxPasswordBytes));
  return right && hash.has_value() && password.size() <= kMaxPasswordBytes;
}

bool PasswordHasher::is_outdated(std::string_view hash) const { return crypto::needs_rehash(hash, options_.cost); }

PasswordHasher::Statistics PasswordHasher::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace pawl::identity
