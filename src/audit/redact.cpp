#include "audit/redact.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "json/write.hpp"

namespace pawl::audit {
namespace {

/// As `is_secret_name` compares them: without case, `-` and `_`. A name that ends in one of these is secret too (`db_password`), unless it
/// only speaks of one (`password_min_length`).
constexpr std::array<std::string_view, 31> kSecretNames{
    "password",         "passwd",      "passphrase", "pwd",       "secret",    "token",       "apikey",        "authorization",
    "cookie",           "setcookie",   "privatekey", "secretkey", "accesskey", "accesskeyid", "credential",    "credentials",
    "sessionid",        "sessionkey",  "signature",  "otp",       "totp",      "backupcodes", "recoverycodes", "clientsecret",
    "connectionstring", "databaseurl", "dsn",        "bearer",    "csrftoken", "xapikey",     "secrets"};
constexpr std::size_t kMaxForms = 4096;
constexpr std::string_view kApiKeyPrefix = "pawl_";
constexpr std::size_t kApiKeyCharacters = 43;

std::string folded(std::string_view name) {
  std::string text;
  text.reserve(name.size());
  for (const char c : name) {
    if (c == '-' || c == '_' || c == ' ' || c == '.') continue;
    text.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return text;
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(std::string_view data) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : data) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      out.push_back(kBase64[(bits >> static_cast<unsigned>(count)) & 63U]);
    }
  }
  return out;  // the last bits, which depend on what follows, are left away
}

std::string url_alphabet(std::string text) {
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::string hexadecimal(std::string_view data, std::string_view digits) {
  std::string out;
  for (const char c : data) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(digits[byte >> 4U]);
    out.push_back(digits[byte & 15U]);
  }
  return out;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

std::string url_encoded(std::string_view data, std::string_view digits, bool plus_for_space) {
  std::string out;
  for (const char c : data) {
    if (is_unreserved(c)) {
      out.push_back(c);
    } else if (c == ' ' && plus_for_space) {
      out.push_back('+');
    } else {
      out.push_back('%');
      out += hexadecimal({&c, 1}, digits);
    }
  }
  return out;
}

std::string json_escaped(std::string_view text) {
  std::string out;
  json::append_quoted(out, text);
  return out.substr(1, out.size() - 2);
}

bool is_email_character(char c) { return is_unreserved(c) || c == '+' || c == '%' || c == '\''; }

/// `anna@example.com` to `a***@example.com`, wherever it stands in the text.
std::string without_emails(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '@' || out.empty() || !is_email_character(out.back())) {
      out.push_back(c);
      continue;
    }
    auto end = i + 1;
    while (end < text.size() && (is_unreserved(text[end]))) ++end;
    const auto domain = text.substr(i + 1, end - i - 1);
    if (domain.find('.') == std::string_view::npos) {
      out.push_back(c);
      continue;
    }
    auto begin = out.size();
    while (begin > 0 && is_email_character(out[begin - 1])) --begin;
    out.resize(begin + 1);
    out += "***@";
  }
  return out;
}

/// `pawl_` and 43 characters of base64, wherever they stand.
std::string without_api_keys(std::string_view text) {
  const auto is_key_character = [](char c) { return c == '_' || c == '-' || (is_unreserved(c) && c != '.' && c != '~'); };
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    auto end = i;
    if (text.substr(i).starts_with(kApiKeyPrefix)) {
      for (end += kApiKeyPrefix.size(); end < text.size() && is_key_character(text[end]);) ++end;
    }
    if (end - i == kApiKeyPrefix.size() + kApiKeyCharacters) {
      out += kRedacted;
      i = end;
    } else {
      out.push_back(text[i++]);
    }
  }
  return out;
}

}  // namespace

// ---- needles --------------------------------------------------------------------------------------------------------------------

Needles Needles::of(const json::Value& secrets) {
  Needles needles;
  std::vector<const json::Value*> open{&secrets};
  while (!open.empty() && needles.forms_.size() < kMaxForms) {
    const auto* const value = open.back();
    open.pop_back();
    if (value->is_string()) {
      needles.add(value->as_string());
    } else if (value->is_number()) {
      needles.add(json::to_text(*value));
    } else if (value->is_array()) {
      for (const auto& item : value->items()) open.push_back(&item);
    } else if (value->is_object()) {
      const auto* const named = value->find("secret_fields");
      const auto is_secret = [named](const json::Member& member) {
        if (named == nullptr || !named->is_array()) return true;
        const auto fields = named->items();
        return std::any_of(fields.begin(), fields.end(), [&](const json::Value& field) { return field == json::Value(member.name()); });
      };
      for (const auto& member : value->members()) {
        if (is_secret(member)) open.push_back(&member.value);
      }
    }
  }
  return needles;
}

void Needles::add_form(std::string form) {
  if (form.size() < kShortestSecret || std::find(forms_.begin(), forms_.end(), form) != forms_.end()) return;
  first_bytes_[static_cast<unsigned char>(form.front())] = true;
  const auto place = std::find_if(forms_.begin(), forms_.end(), [&](const std::string& each) { return each.size() < form.size(); });
  forms_.insert(place, std::move(form));
}

void Needles::add(std::string_view secret) {
  if (secret.size() < kShortestSecret) return;
  add_form(std::string(secret));
  add_form(json_escaped(secret));
  for (const auto digits : {std::string_view("0123456789abcdef"), std::string_view("0123456789ABCDEF")}) {
    add_form(hexadecimal(secret, digits));
    add_form(url_encoded(secret, digits, false));
    add_form(url_encoded(secret, digits, true));
  }
  // Base64 of a text that contains the secret shows it in one of three ways, by how many bytes stand before it. The characters at the
  // borders depend on the neighbours too and are left away.
  for (std::size_t before = 0; before < 3; ++before) {
    auto text = base64(std::string(before, '\0') + std::string(secret));
    const std::size_t foreign = before == 0 ? 0 : before + 1;
    if (text.size() <= foreign + kShortestSecret) continue;
    text.erase(0, foreign);
    add_form(url_alphabet(text));
    add_form(std::move(text));
  }
  // A secret of several lines (a key file) also line by line.
  if (secret.find('\n') != std::string_view::npos) {
    for (std::size_t from = 0; from < secret.size();) {
      const auto end = std::min(secret.find('\n', from), secret.size());
      const auto line = secret.substr(from, end - from);
      if (line.size() >= 2 * kShortestSecret && !line.starts_with("-----")) add_form(std::string(line));
      from = end + 1;
    }
  }
}

std::size_t Needles::match(std::string_view text, std::size_t at) const {
  if (!first_bytes_[static_cast<unsigned char>(text[at])]) return 0;
  for (const auto& form : forms_) {
    if (text.substr(at).starts_with(form)) return form.size();
  }
  return 0;
}

bool Needles::occur_in(std::string_view text) const {
  if (forms_.empty()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (match(text, i) > 0) return true;
  }
  return false;
}

std::string Needles::replace(std::string_view text, bool& found) const {
  std::string out;
  if (!occur_in(text)) return out.assign(text);
  found = true;
  for (std::size_t i = 0; i < text.size();) {
    if (const auto length = match(text, i); length > 0) {
      out += kRedacted;
      i += length;
    } else {
      out.push_back(text[i++]);
    }
  }
  return out;
}

// ---- redactor -------------------------------------------------------------------------------------------------------------------

bool is_secret_name(std::string_view name) {
  if (name.size() > 100) return false;
  const auto text = folded(name);
  return std::any_of(kSecretNames.begin(), kSecretNames.end(), [&](std::string_view secret) {
    if (text == secret) return true;
    // Suffixes that are ordinary words' endings count only as whole names.
    if (secret == "otp" || secret == "dsn" || secret == "pwd" || secret == "bearer") return false;
    return text.ends_with(secret);
  });
}

std::string Redactor::text(std::string_view text, const RedactOptions& options, const Needles* extra) const {
  bool found = false;
  std::string out = installation_.empty() ? std::string(text) : installation_.replace(text, found);
  if (extra != nullptr && !extra->empty()) out = extra->replace(out, found);
  if (out.find(kApiKeyPrefix) != std::string::npos) out = without_api_keys(out);
  if (options.mask_emails && out.find('@') != std::string::npos) out = without_emails(out);
  if (options.max_text > 0 && out.size() > options.max_text) {
    auto end = options.max_text;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0U) == 0x80U) --end;  // not within a character
    out.resize(end);
    out += "... (cut)";
  }
  return out;
}

json::Value Redactor::walk(const json::Value& value, const RedactOptions& options, const Needles* extra, std::size_t depth) const {
  if (value.is_string()) {
    auto clean = text(value.as_string(), options, extra);
    return clean == value.as_string() ? value : json::Value(std::move(clean));
  }
  if (value.is_number()) {
    // A number can be a secret too (a PIN of enough digits).
    const auto plain = json::to_text(value);
    return text(plain, {}, extra) == plain ? value : json::Value(kRedacted);
  }
  if (!value.is_array() && !value.is_object()) return value;
  if (depth >= options.max_depth) return "[too deep]";
  const auto limit = options.max_items > 0 ? options.max_items : value.size();
  if (value.is_array()) {
    auto out = value;
    const auto items = value.items();
    if (items.size() > limit) {
      out = json::Value::array(std::vector<json::Value>(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(limit)));
      out.push_back("... (" + std::to_string(items.size() - limit) + " more)");
    }
    for (std::size_t i = 0; i < std::min(limit, items.size()); ++i) {
      auto item = walk(items[i], options, extra, depth + 1);
      if (!item.same_storage(items[i]) && (item.kind() != items[i].kind() || item.kind() >= json::Kind::string))
        out.set(i, std::move(item));
    }
    return out;
  }
  auto out = json::Value::object();
  std::size_t taken = 0;
  for (const auto& member : value.members()) {
    if (taken++ == limit) {
      out.set("...", std::to_string(value.size() - limit) + " more");
      break;
    }
    auto name = text(member.name(), options, extra);
    if (options.by_name && is_secret_name(member.name())) {
      out.set(name, member.value.is_null() || member.value.is_bool() ? member.value : json::Value(kRedacted));
    } else {
      out.set(name, walk(member.value, options, extra, depth + 1));
    }
  }
  return out;
}

json::Value Redactor::value(const json::Value& value, const RedactOptions& options, const Needles* extra) const {
  return walk(value, options, extra, 0);
}

}  // namespace pawl::audit
